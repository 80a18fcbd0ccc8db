import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.calling import database, exchange
from tests.support.capture import Capture, clear_findings, clear_rtp, plant
from tests.support.loopback import private_loopback

__all__ = ["database", "exchange"]

MEASURED = {
    "test_reach",
    "test_sign_in",
    "test_voicemail",
    "test_voicemail_elsewhere",
    "test_voicemail_menus",
    "test_voicemail_reply",
}
"""Those that drive features which nothing but a call can drive."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What scenarios show is not which lines ran; measured, each would take half as long again."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.path.stem not in MEASURED:
            item.add_marker(pytest.mark.unmeasured)


@pytest.fixture(scope="module", autouse=True)
def unmeasured_processes() -> Iterator[None]:
    """The same for processes that a scenario starts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(("COVERAGE_", "COV_"))]:
            patch.delenv(name)
        yield


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
