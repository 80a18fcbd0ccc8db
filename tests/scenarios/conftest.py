import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.calling import database, exchange
from tests.support.capture import CANARY, KNOCK, Capture, Clear, clear_rtp, judge, plant
from tests.support.loopback import private_loopback
from tests.support.netns import ROUTER_OUTSIDE, NatNetwork

__all__ = ["database", "exchange"]

MEASURED = {
    "test_reach",
    "test_sign_in",
    "test_voicemail",
    "test_voicemail_elsewhere",
    "test_voicemail_menus",
    "test_voicemail_reply",
    "test_voicemail_trouble",
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


@pytest.fixture(autouse=True)
async def nothing_in_clear(request: pytest.FixtureRequest) -> AsyncIterator[Clear]:
    """Whatever a scenario does, no SIP, no key and no sound crosses its network in clear.

    Every scenario is watched but those that say of themselves that no phone is in them
    (`phoneless`) and those that bring a network of their own, which is watched itself."""
    clear = Clear()
    if request.node.get_closest_marker("phoneless") or "network" in request.fixturenames:
        yield clear
        return
    request.getfixturevalue("own_loopback")
    folder: Path = request.getfixturevalue("open_path")
    async with Capture(folder / "whole.pcapng") as capture:
        yield clear
        plant()
        plant(clear_rtp())
    judge(await capture.packets(), clear)


@pytest.fixture
async def network(open_path: Path) -> AsyncIterator[NatNetwork]:
    """Phones behind a router that translates; watched where the exchange is."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with NatNetwork() as network:
        inside, file = network.prefix("exchange"), open_path / "whole.pcapng"
        async with Capture(file, interface="eth0", prefix=inside, address=ROUTER_OUTSIDE) as seen:
            yield network
            for datagram in (CANARY, clear_rtp()):
                network.inside(
                    "exchange", sys.executable, "-c", KNOCK, datagram.hex(), ROUTER_OUTSIDE
                )
        judge(await seen.packets(), Clear())
