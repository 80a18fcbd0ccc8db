"""RTCP packets (RFC 3550 §6): what we write and what we read of them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, BYE = 200, 201, 202, 203
CNAME = 1
HEAD = struct.Struct("!BBH")
SENDER = struct.Struct("!IIIII")
BLOCK = struct.Struct("!IIIIII")
WORD = struct.Struct("!I")
MOST = 16
"""Packets of a compound that are looked at; phones send two to four."""
NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one side receives a source of the other."""

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class Report:
    """A sender or receiver report; `sent` is the middle of its NTP time, if a sender's."""

    ssrc: int
    sent: int | None
    blocks: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sender report says of our stream."""

    timestamp: int
    packets: int
    octets: int


def compound(
    ssrc: int, cname: str, wall: float, sent: Sent | None, blocks: tuple[ReportBlock, ...]
) -> bytes:
    """SR or RR, then SDES with our name."""
    kind, body = RECEIVER_REPORT, WORD.pack(ssrc)
    if sent is not None:
        kind, ntp = SENDER_REPORT, int((wall + NTP_EPOCH) * 2**32)
        body += SENDER.pack(
            ntp >> 32 & 0xFFFFFFFF,
            ntp & 0xFFFFFFFF,
            sent.timestamp,
            sent.packets & 0xFFFFFFFF,
            sent.octets & 0xFFFFFFFF,
        )
    body += b"".join(_block(block) for block in blocks)
    return _packet(kind, len(blocks), body) + _description(ssrc, cname)


def goodbye(ssrc: int, cname: str) -> bytes:
    """An empty report, our name, and BYE: the stream is over."""
    report = _packet(RECEIVER_REPORT, 0, WORD.pack(ssrc)) + _description(ssrc, cname)
    return report + _packet(BYE, 1, WORD.pack(ssrc))


def reports(data: bytes) -> list[Report]:
    """The reports of a compound packet; what is malformed or of no use to us is passed over."""
    found = []
    for kind, count, body in _packets(data):
        if kind == SENDER_REPORT and len(body) >= 24:
            sent = int.from_bytes(body[6:10], "big")
            found.append(Report(WORD.unpack_from(body)[0], sent, _blocks(body[24:], count)))
        elif kind == RECEIVER_REPORT and len(body) >= 4:
            found.append(Report(WORD.unpack_from(body)[0], None, _blocks(body[4:], count)))
    return found


def middle_of_ntp(wall: float) -> int:
    """The 32 bits that LSR and DLSR count in: 1/65536 s."""
    return int((wall + NTP_EPOCH) * 65_536) & 0xFFFFFFFF


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return HEAD.pack(0x80 | count, kind, len(body) // 4) + body


def _description(ssrc: int, cname: str) -> bytes:
    name = cname.encode("ascii", "replace")[:255]
    items = WORD.pack(ssrc) + bytes((CNAME, len(name))) + name + b"\0"
    return _packet(DESCRIPTION, 1, items + b"\0" * (-len(items) % 4))


def _block(block: ReportBlock) -> bytes:
    lost = min(max(block.lost, -0x800000), 0x7FFFFF) & 0xFFFFFF
    return BLOCK.pack(
        block.ssrc,
        block.fraction << 24 | lost,
        block.highest & 0xFFFFFFFF,
        block.jitter & 0xFFFFFFFF,
        block.last_report,
        block.delay & 0xFFFFFFFF,
    )


def _packets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    for _ in range(MOST):
        if len(data) < HEAD.size:
            return
        first, kind, words = HEAD.unpack_from(data)
        end = HEAD.size + 4 * words
        if first & 0xC0 != 0x80 or end > len(data):
            return
        yield kind, first & 0x1F, data[HEAD.size : end]
        data = data[end:]


def _blocks(body: bytes, count: int) -> tuple[ReportBlock, ...]:
    count = min(count, len(body) // BLOCK.size)
    return tuple(_read(BLOCK.unpack_from(body, n * BLOCK.size)) for n in range(count))


def _read(fields: tuple[int, ...]) -> ReportBlock:
    ssrc, loss, highest, jitter, last_report, delay = fields
    lost = loss & 0xFFFFFF
    signed = lost - (1 << 24 if lost & 0x800000 else 0)
    return ReportBlock(ssrc, loss >> 24, signed, highest, jitter, last_report, delay)
