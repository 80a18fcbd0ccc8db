"""A leg's figures, gathered from its parts."""

from media.sdp.offer_answer import Agreed, Sdes
from media.values import LegStats
from media.worker.keying import Keying
from media.worker.path import Path
from media.worker.quality import mean_opinion
from media.worker.reports import Reports
from media.worker.stream import Stream


def of_leg(
    agreed: Agreed | None,
    path: Path,
    stream: Stream,
    reports: Reports,
    keying: Keying,
    silent: float,
    coded: int,
) -> LegStats:
    """All of it."""
    clock = path.clock
    round_trip = reports.round_trip * 1000 if reports.round_trip is not None else None
    jitter_there = 1000 * reports.jitter_there / clock
    codec = agreed.voice[1].name if agreed else ""
    mos = None
    if agreed and reports.received and stream.packets:
        loss = reports.lost_there / stream.packets
        mos = mean_opinion(codec, loss, jitter_there, round_trip or 0.0)
    return LegStats(
        keying=("sdes" if isinstance(agreed.keys, Sdes) else "dtls") if agreed else "",
        suite=keying.suite,
        codec=codec,
        rekeys=keying.rekeys,
        received=path.received,
        received_octets=path.octets,
        sent=stream.packets,
        sent_octets=stream.octets,
        unauthenticated=path.unauthenticated,
        replayed=path.replayed,
        junk=path.junk,
        early=path.early,
        coded=coded,
        unmapped=path.unmapped,
        unreachable=path.endpoint.unreachable,
        relatches=path.endpoint.relatches,
        rtcp_received=reports.received,
        rtcp_sent=reports.sent,
        rtcp_refused=reports.refused,
        lost=max(path.expected - path.received, 0),
        lost_there=reports.lost_there,
        jitter_ms=round(1000 * path.jitter / clock, 3),
        jitter_there_ms=round(jitter_there, 3),
        round_trip_ms=round(round_trip, 3) if round_trip is not None else None,
        mos=mos,
        silent_seconds=round(silent, 3),
    )
