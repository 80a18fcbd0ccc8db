"""The eye that the capture tests see with: it must see, and must not see ghosts."""

import asyncio
import os
import socket
from pathlib import Path

import pytest

from tests.support.capture import Capture, clear_rtp, looks_clear, plant

pytestmark = [pytest.mark.phoneless, pytest.mark.usefixtures("own_loopback")]


async def test_planted_sip_and_rtp_in_clear_are_found(tmp_path: Path) -> None:
    async with Capture(tmp_path / "clear.pcapng") as capture:
        plant()
        plant(clear_rtp())

    findings = await capture.findings()

    assert any("SIP/2.0" in finding for finding in findings)
    assert any("not encrypted" in finding for finding in findings)


async def test_ciphertext_is_no_finding(tmp_path: Path) -> None:
    async with Capture(tmp_path / "sealed.pcapng") as capture:
        for _ in range(50):
            plant(bytes([0x80, 0]) + os.urandom(180))

    packets = [packet for packet in await capture.packets() if len(packet.payload) == 182]

    assert len(packets) == 50
    assert not [packet for packet in packets if looks_clear(packet.payload[12:])]


async def test_tshark_reads_the_same(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with Capture(tmp_path / "mixed.pcapng") as capture:
            with socket.create_connection(server.getsockname()) as one, server.accept()[0] as other:
                one.sendall(b"question")
                assert other.recv(100) == b"question"
                plant(clear_rtp())
                with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
                    six.sendto(b"over IPv6", ("::1", 9))
    fields = (
        "tcp.srcport",
        "tcp.dstport",
        "tcp.payload",
        "udp.srcport",
        "udp.dstport",
        "udp.payload",
    )
    shown = await asyncio.create_subprocess_exec(
        "tshark", "-r", str(capture.file), "-T", "fields", *(f"-e{name}" for name in fields),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    lines = (await shown.communicate())[0].decode().splitlines()

    found = [
        (str(one.source_port), str(one.target_port), one.payload.hex())
        for one in await capture.packets()
    ]

    rows = [line.split("\t") for line in lines]
    assert found == [tuple(part for part in row if part) for row in rows if row[2] or row[5]]
    assert {b"question".hex(), clear_rtp().hex(), b"over IPv6".hex()} <= {one[2] for one in found}


def test_silence_is_seen_as_clear() -> None:
    assert looks_clear(b"\xff" * 160)
