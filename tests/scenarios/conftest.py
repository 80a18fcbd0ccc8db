from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.calling import database, exchange
from tests.support.capture import Capture, clear_findings, clear_rtp, plant
from tests.support.loopback import private_loopback

__all__ = ["database", "exchange"]


@pytest.fixture
def own_loopback() -> Iterator[None]:
    with private_loopback():
        yield


@pytest.fixture
async def nothing_in_clear(own_loopback: None, open_path: Path) -> AsyncIterator[None]:
    """Whatever the test does, no SIP, no key and no sound crosses its network in clear.

    Two packets in clear at the end are found by the same search, and they alone.
    """
    async with Capture(open_path / "whole.pcapng") as capture:
        yield
        plant()
        plant(clear_rtp())
    packets = await capture.packets()
    findings = clear_findings(iter(packets))
    assert len(findings) == 2, findings
    assert "SIP/2.0" in findings[0]
    assert "RTP payload" in findings[1]
    assert any(packet.protocol == "tcp" for packet in packets), "the phones were not seen"
