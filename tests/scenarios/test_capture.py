"""The eye that the capture tests see with: it must see, and must not see ghosts."""

import os
from pathlib import Path

import pytest

from tests.support.capture import Capture, clear_rtp, looks_clear, plant

pytestmark = pytest.mark.usefixtures("own_loopback")


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


def test_silence_is_seen_as_clear() -> None:
    assert looks_clear(b"\xff" * 160)
