"""A worker that is told nothing for a quarter of an hour ends its calls, and none before."""

from __future__ import annotations

import pytest

from media.config import MediaConfig
from media.values import Ended
from media.worker.loop import Loop
from media.worker.orphans import LOOK_EVERY, Orphans
from tests.support.media_inline import Inline
from tests.support.rtp_phone import RtpPhone

LIMIT = MediaConfig().orphan_limit


class Hand:
    """A clock that is moved by hand, and when the exchange was heard of."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.heard = 1000.0

    def pass_(self, loop: Loop, seconds: float) -> None:
        """In steps: whatever falls due in between is done in time."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + LOOK_EVERY, end)
            loop.expire()


@pytest.fixture
def inline() -> object:
    made = Inline()
    yield made
    made.close()


def test_orphans_end_after_the_limit_and_not_while_somebody_asks(inline: Inline) -> None:
    clock = Hand()
    loop = Loop(lambda: clock.now)
    ended: list[float] = []

    def end() -> None:
        ended.append(clock.now)
        inline.roster.end_orphans()

    assert LIMIT == 15 * 60
    legs = [inline.alone(RtpPhone(), call=call) for call in ("one", "two")]
    Orphans(loop, lambda: clock.heard, LIMIT, end)
    for _ in range(3):  # an exchange that asks, if seldom
        clock.pass_(loop, LIMIT - LOOK_EVERY)
        clock.heard = clock.now
    assert ended == []
    assert len(inline.roster) == 2

    clock.pass_(loop, LIMIT - 1)
    assert ended == []
    clock.pass_(loop, 1 + LOOK_EVERY)
    loop.close()

    assert len(ended) >= 1
    assert LIMIT <= ended[0] - clock.heard <= LIMIT + LOOK_EVERY
    assert len(inline.roster) == 0
    assert {event for event in inline.told if isinstance(event, Ended)} == {
        Ended(leg, "orphan") for leg in legs
    }
