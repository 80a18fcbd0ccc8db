"""A key press in SIP INFO: `application/dtmf-relay`, and the bare `application/dtmf`.

Neither is an RFC of its own; the forms are those that phones send (`Signal=5`, `Duration=160`).
What cannot be read is refused without a word about what stood there.
"""

import re
from dataclasses import dataclass, field

RELAY = "application/dtmf-relay"
BARE = "application/dtmf"
KINDS = frozenset({RELAY, BARE})

KEYS = {key: key for key in "0123456789*#ABCD"} | {"10": "*", "11": "#"}
"""Some phones send the event codes of RFC 4733 for star and hash."""
USUAL_MS = 160
LONGEST_MS = 8_000

_FIELD = re.compile(r"\s*(signal|duration)\s*=\s*(\S{1,5})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KeyPress:
    """Which key, and for how long. Its representation shows no key: none ends in a log."""

    digit: str = field(repr=False)
    milliseconds: int = USUAL_MS


def read(kind: str, body: bytes) -> KeyPress | None:
    """One key press, or None for what is none."""
    text = body.decode("ascii", "replace")
    fields = {"signal": text.strip()} if kind == BARE else _fields(text)
    digit = KEYS.get(fields.get("signal", "").upper())
    duration = fields.get("duration", str(USUAL_MS))
    if digit is None or not (duration.isascii() and duration.isdigit()):
        return None
    return KeyPress(digit, min(int(duration), LONGEST_MS))


def written(key: KeyPress) -> bytes:
    """As `application/dtmf-relay`, which every phone that reads keys in signalling reads."""
    return f"Signal={key.digit}\r\nDuration={key.milliseconds}\r\n".encode()


def _fields(text: str) -> dict[str, str]:
    found = (_FIELD.fullmatch(line) for line in text.splitlines())
    return {match[1].lower(): match[2] for match in found if match}
