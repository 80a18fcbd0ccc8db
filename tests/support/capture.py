"""What crosses the loopback while a test runs, and whether any of it is in clear.

Wireshark's dumpcap captures; `clear_findings` looks for SIP, session descriptions, keys and
unencrypted RTP. It is only worth something when a deliberately clear packet is found: see `plant`.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import pcapng
from tests.support.pcapng import Packet

CLEAR_TEXT = (
    b"SIP/2.0",
    b"a=crypto",
    b"inline:",
    b"m=audio",
    b"Digest username",
    b"WWW-Authenticate",
)
KNOCK = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
    knock.sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], 9))
"""
CANARY = b"OPTIONS sip:canary@127.0.0.1 SIP/2.0\r\n\r\n"


def looks_clear(payload: bytes) -> bool:
    """Does this RTP payload have fewer distinct octets than ciphertext would have?

    n random octets hold 256·(1-(255/256)^n) distinct values on average, with a standard deviation
    below sqrt of that; speech, tones and silence in G.711 or G.722 stay far under six of them.
    """
    count = len(payload)
    if count < 100:
        return False
    expected = 256 * (1 - (255 / 256) ** count)
    none_seen = (255 / 256) ** count
    variance = 256 * none_seen * (1 - none_seen) - count * (255 / 256) ** (2 * count)
    return len(set(payload)) < expected - 6 * math.sqrt(max(variance, 1.0))


def is_rtp(datagram: bytes) -> bool:
    """RTP by RFC 7983 and RFC 5761: version 2 and no RTCP packet type."""
    return len(datagram) >= 12 and datagram[0] >> 6 == 2 and not 192 <= datagram[1] <= 223


def clear_findings(packets: Iterator[Packet]) -> list[str]:
    """One sentence for each packet in clear; payloads are not repeated."""
    findings = []
    for packet in packets:
        where = f"{packet.protocol} {packet.source_port} to {packet.target_port}"
        for text in CLEAR_TEXT:
            if text in packet.payload:
                findings.append(f"{where}: {text.decode()!r}")
        if packet.protocol == "udp" and is_rtp(packet.payload) and looks_clear(packet.payload[12:]):
            findings.append(f"{where}: RTP payload that is not encrypted")
    return findings


@dataclass
class Clear:
    """What may cross the network in clear: SIPp speaks TCP to the stunnel before it."""

    ports: set[int] = field(default_factory=set)

    def allows(self, packet: Packet) -> bool:
        return not self.ports.isdisjoint((packet.source_port, packet.target_port))


def judge(packets: list[Packet], clear: Clear) -> None:
    """The two packets that were planted at the end are found by the search, and they alone."""
    findings = clear_findings(packet for packet in packets if not clear.allows(packet))
    assert len(findings) == 2, findings
    assert "SIP/2.0" in findings[0]
    assert "RTP payload" in findings[1]
    assert any(packet.protocol == "tcp" for packet in packets), "the phones were not seen"


@dataclass
class Capture:
    """`async with Capture(file) as capture: …` then `capture.packets()`."""

    file: Path
    interface: str = "lo"
    filter: str = "tcp or udp"
    prefix: tuple[str, ...] = ()
    """E.g. ("ip", "netns", "exec", NAME) to capture in a network namespace."""
    address: str = "127.0.0.1"
    """An address whose traffic the capture sees."""
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    async def __aenter__(self) -> Capture:
        self._process = await asyncio.create_subprocess_exec(
            *self.prefix, "dumpcap", "-q", "-i", self.interface, "-f", self.filter,
            "-w", str(self.file), "-B", "64", stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stderr
        async with asyncio.timeout(60):
            while b"Capturing on" not in await self._process.stderr.readline():
                assert self._process.returncode is None, "dumpcap ended"
            await self._until_on_file(os.urandom(16))
        return self

    async def _until_on_file(self, marker: bytes) -> None:
        # What dumpcap says of itself comes too early and too late: knock until that is on file.
        while not (self.file.exists() and marker in self.file.read_bytes()):
            assert self._process is not None and self._process.returncode is None, "dumpcap ended"
            if not self.prefix:
                _knock(marker, self.address)
                await asyncio.sleep(0.02)
                continue
            knock = await asyncio.create_subprocess_exec(
                *self.prefix, sys.executable, "-c", KNOCK, marker.hex(), self.address
            )
            await knock.wait()

    async def __aexit__(self, *_: object) -> None:
        assert self._process
        if self._process.returncode is None:
            async with asyncio.timeout(60):
                await self._until_on_file(os.urandom(16))
            self._process.kill()  # all there is to keep is on file
        await self._process.wait()

    async def packets(self) -> list[Packet]:
        """All packets with a payload, after the capture ended."""
        return list(pcapng.packets(self.file.read_bytes()))

    async def findings(self) -> list[str]:
        return clear_findings(iter(await self.packets()))


def _knock(marker: bytes, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
        knock.sendto(marker, (address, 9))


def plant(datagram: bytes = CANARY) -> None:
    """Send one datagram in clear over the loopback: what the check must find."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as canary:
        canary.bind(("127.0.0.1", 0))
        canary.sendto(datagram, canary.getsockname())


def clear_rtp() -> bytes:
    """One RTP packet with a G.711 tone, not encrypted."""
    tone = bytes(int(128 + 60 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(160))
    return bytes([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]) + tone
