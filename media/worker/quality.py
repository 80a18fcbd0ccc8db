"""The E-model's estimate of what a listener hears (ITU-T G.107, G.113 appendix I)."""

EQUIPMENT = {  # codec: impairment Ie, robustness to loss Bpl
    "pcmu": (0.0, 25.1),
    "pcma": (0.0, 25.1),
    "g722": (0.0, 25.1),
    "opus": (0.0, 30.0),
    "gsm": (20.0, 10.0),
    "g729": (11.0, 19.0),
    "g723": (15.0, 16.1),
}
BASE = 93.2
KNEE_MS = 177.3
"""G.107's simplified delay impairment grows faster beyond this."""
BUFFERS_MS = 40.0
"""A frame and a jitter buffer of about one frame, in a phone."""


def mean_opinion(codec: str, loss: float, jitter_ms: float, round_trip_ms: float) -> float:
    """MOS from 1.0 to 4.5 for a share of packets lost (0 to 1), jitter, and round trip."""
    impairment, robustness = EQUIPMENT.get(codec, (5.0, 15.0))
    delay = round_trip_ms / 2 + 2 * jitter_ms + BUFFERS_MS
    delayed = 0.024 * delay + (0.11 * (delay - KNEE_MS) if delay > KNEE_MS else 0.0)
    percent = 100 * min(max(loss, 0.0), 1.0)
    damaged = impairment + (95 - impairment) * percent / (percent + robustness)
    rating = min(max(BASE - delayed - damaged, 0.0), 100.0)
    opinion = 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6
    return round(min(max(opinion, 1.0), 4.5), 2)
