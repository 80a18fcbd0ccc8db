"""What a capture of Ethernet frames holds: addresses' ports and payloads of TCP and UDP, no more.

The file format is pcapng's (draft-ietf-opsawg-pcapng): blocks of a type, a length, a body and the
length again. tshark reads the same, and takes most of a second to begin.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

INTERFACE, PACKET = 1, 6
ETHERNET = 1
IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
PROTOCOLS = {TCP: "tcp", UDP: "udp"}


class Packet(NamedTuple):
    protocol: str
    source_port: int
    target_port: int
    payload: bytes


def packets(data: bytes) -> Iterator[Packet]:
    """Those with a payload, in their order; a block that is not whole ends the file."""
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if at + length > len(data):
            return
        body = data[at + 8 : at + length - 4]
        at += length
        if kind == INTERFACE:
            assert struct.unpack_from("<H", body)[0] == ETHERNET, "frames of another kind"
        elif kind == PACKET:
            (captured,) = struct.unpack_from("<I", body, 12)
            packet = _packet(body[20 : 20 + captured])
            if packet is not None and packet.payload:
                yield packet


def _packet(frame: bytes) -> Packet | None:
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == IPV4:
        length = int.from_bytes(frame[16:18], "big")
        return _segment(frame[23], frame[14 + 4 * (frame[14] & 0x0F) : 14 + length])
    if kind == IPV6:
        length = int.from_bytes(frame[18:20], "big")
        return _segment(frame[20], frame[54 : 54 + length])
    return None


def _segment(protocol: int, segment: bytes) -> Packet | None:
    if protocol not in PROTOCOLS:
        return None
    source, target = struct.unpack_from("!HH", segment)
    head = 4 * (segment[12] >> 4) if protocol == TCP else 8
    return Packet(PROTOCOLS[protocol], source, target, segment[head:])
