"""Payload types and what they stand for (RFC 3551, RFC 8866 §6.6)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from media.sdp.model import Attribute, Media

MAX_FMTP = 400


@dataclass(frozen=True, slots=True)
class Codec:
    """What a payload type stands for."""

    name: str
    """Lower case."""
    clock: int = 8000
    channels: int = 1
    fmtp: str = ""

    @property
    def kind(self) -> tuple[str, int, int]:
        """Two sides mean the same when this is the same; fmtp says only how to send."""
        return self.name, self.clock, self.channels

    @property
    def is_event(self) -> bool:
        """RFC 4733: key presses, not voice."""
        return self.name == "telephone-event"

    @property
    def is_voice(self) -> bool:
        """Neither key presses nor comfort noise nor redundancy."""
        return self.name not in ("telephone-event", "cn", "red")


PCMU, PCMA, G722 = Codec("pcmu"), Codec("pcma"), Codec("g722")
TELEPHONE_EVENT = Codec("telephone-event", fmtp="0-16")

STATIC = {
    0: PCMU,
    3: Codec("gsm"),
    4: Codec("g723"),
    8: PCMA,
    9: G722,  # RFC 3551 §4.5.2: clocked at 8000, although it samples at 16000
    13: Codec("cn"),
    15: Codec("g728"),
    18: Codec("g729"),
}
"""Phones may leave out a=rtpmap for these (RFC 3264 §5.1)."""

OURS = {0: PCMU, 8: PCMA, 9: G722, 101: TELEPHONE_EVENT}
"""What we can play and understand ourselves."""

OPUS = Codec("opus", 48_000, 2)
"""Always called so, whatever is in it (RFC 7587 §7)."""
CODED = (PCMU, PCMA, G722, OPUS)
"""What we can make of each other, cheapest first."""
CODED_KINDS = frozenset(codec.kind for codec in CODED)
NO_SILENCE = "annexb=no"
"""RFC 7261 §2.1: where one end of a G.729 call does without silence descriptors, so does the
other."""
FREE = 107
"""Where numbers of ours begin; phones seldom use them."""

WRITTEN = {"pcmu": "PCMU", "pcma": "PCMA", "gsm": "GSM", "cn": "CN", "opus": "opus"}

Formats = dict[int, Codec]
"""By payload type, most preferred first."""


def formats_of(media: Media) -> Formats:
    """The payload types of a stream that we can name, in the order of its m= line."""
    named = _by_type(media.all("rtpmap"))
    parameters = _by_type(media.all("fmtp"))
    found: Formats = {}
    for text in media.formats:
        if not _is_payload_type(text):
            continue
        codec = _codec(named[text]) if text in named else STATIC.get(int(text))
        if codec:
            fmtp = parameters.get(text, "")
            passed = fmtp.isascii() and fmtp.isprintable() and len(fmtp) <= MAX_FMTP
            found[int(text)] = replace(codec, fmtp=fmtp if passed else "")
    return found


def attributes_of(formats: Formats) -> list[Attribute]:
    """a=rtpmap and a=fmtp for each."""
    lines = []
    for number, codec in formats.items():
        name = WRITTEN.get(codec.name, codec.name if codec.is_event else codec.name.upper())
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        lines.append(Attribute("rtpmap", f"{number} {name}/{codec.clock}{channels}"))
        if codec.fmtp:
            lines.append(Attribute("fmtp", f"{number} {codec.fmtp}"))
    return lines


def number_of(formats: Formats, wanted: Codec) -> int | None:
    """The payload type that stands for the same thing."""
    return next((number for number, codec in formats.items() if codec.kind == wanted.kind), None)


def common(offered: Formats, wanted: Iterable[Codec]) -> Formats:
    """What is wanted of what was offered, in the wanting order, under the offered numbers."""
    found: Formats = {}
    for codec in wanted:
        number = number_of(offered, codec)
        if number is not None and number not in found:
            spares = codec.name == "g729" and NO_SILENCE in codec.fmtp.replace(" ", "").lower()
            found[number] = replace(offered[number], fmtp=NO_SILENCE) if spares else offered[number]
    return found


def with_coded(formats: Formats, *, always: bool = False) -> Formats:
    """And, less preferred, what the first of them can be made into by us; or all that we can
    make, whether that can be or not."""
    if not always and not any(codec.kind in CODED_KINDS for codec in formats.values()):
        return dict(formats)
    events = {n: codec for n, codec in formats.items() if codec.is_event}
    found = {n: codec for n, codec in formats.items() if n not in events}
    for codec in CODED:
        if number_of(found, codec) is None:
            numbers = [n for n, known in STATIC.items() if known.kind == codec.kind]
            free = [n for n in (*numbers, *range(FREE, 128), *range(96, FREE)) if n not in formats]
            if free:
                found[free[0]] = codec
    return found | events


def renumbered(wanted: Formats, used: Formats) -> Formats:
    """`wanted` under the numbers this session already gave them (RFC 3264 §8.3.2)."""
    found: Formats = {}
    for number, codec in wanted.items():
        known = number_of(used, codec)
        free = [n for n in (number, *range(96, 128)) if n not in found and n not in used]
        chosen = known if known is not None else next(iter(free), None)
        if chosen is not None and chosen not in found:
            found[chosen] = codec
    return found


def _by_type(values: list[str]) -> dict[str, str]:
    return {number: rest.strip() for number, _, rest in (v.partition(" ") for v in values)}


def _is_payload_type(text: str) -> bool:
    # 72-76 would be taken for RTCP on a shared port (RFC 5761 §4).
    plain = text.isascii() and text.isdigit() and len(text) <= 3 and str(int(text)) == text
    return plain and int(text) <= 127 and not 64 <= int(text) <= 95


def _codec(text: str) -> Codec | None:
    name, _, rest = text.partition("/")
    clock, _, channels = rest.partition("/")
    if not (clock.isascii() and clock.isdigit() and len(clock) <= 6 and int(clock) >= 8000):
        return None
    if channels not in ("", "1", "2") or not name.isascii() or len(name) > 32:
        return None
    return Codec(name.lower(), int(clock), int(channels or 1))
