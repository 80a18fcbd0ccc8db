"""Payload tables: what each second octet from one phone becomes towards another."""

from media.sdp.formats import Formats, number_of
from media.worker.codecs.coder import is_known
from media.worker.path import DROP, EVENT, NOTHING, SPECIAL, TAP
from media.worker.stream import MARKER


def table(receive: Formats, send: Formats | None) -> list[int]:
    """For the path from a phone that sends by `receive` to one that wants `send` (None: nobody).

    Voice that the other phone has no number for is told of, if it can be coded for it."""
    codes = list(NOTHING)
    for number, codec in receive.items():
        outgoing = number_of(send, codec) if send else None
        code = SPECIAL | DROP if outgoing is None else outgoing
        if outgoing is None and send and can_be_coded({number: codec}, send):
            codes[number] = codes[number | MARKER] = SPECIAL | DROP | TAP | number
            continue
        if codec.is_event:
            code |= SPECIAL | EVENT
        codes[number] = code
        codes[number | MARKER] = code | MARKER
    return codes


def tapped(receive: Formats) -> list[int]:
    """For the path from a phone whose voice we keep ourselves or make over, and which nobody else
    hears as it is; what we do not speak goes no further."""
    codes = table(receive, None)
    for number, codec in receive.items():
        if is_known(codec):
            codes[number] = codes[number | MARKER] = SPECIAL | DROP | TAP | number
    return codes


def can_be_coded(receive: Formats, send: Formats) -> bool:
    """Whether what one phone says can be made into what the other plays first."""
    voice = next((codec for codec in send.values() if codec.is_voice), None)
    return voice is not None and is_known(voice) and any(map(is_known, receive.values()))


def have_voice_in_common(receive: Formats, send: Formats) -> bool:
    """Whether anything but key presses would pass."""
    return any(c.is_voice and number_of(send, c) is not None for c in receive.values())
