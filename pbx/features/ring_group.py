"""Ring a group: all its members, or one after another; the first to answer has the call."""

from __future__ import annotations

import asyncio
import secrets

from pbx.b2bua.call import Call
from pbx.b2bua.leg import Leg
from pbx.b2bua.news import News
from pbx.dialplan.groups import ALL, BY_ROUND, RingGroup, Turn
from pbx.features.ringing import BUSY, OFFLINE, Ringing
from storage.calls import CallOutcome

Verdict = tuple[int, str, CallOutcome]
_WEIGHT = (
    CallOutcome.OFFLINE,
    CallOutcome.FAILED,
    CallOutcome.BUSY,
    CallOutcome.DECLINED,
    CallOutcome.NO_ANSWER,
)
"""Of several members' verdicts the caller is told the last one in this list."""


class RingingGroup:
    """One group that rings for whoever waits."""

    def __init__(
        self, call: Call, route: RingGroup, *, number: str = "", news: News | None = None
    ) -> None:
        self._call, self._route = call, route
        self._number, self._news = number, news
        self._verdict: Verdict = (OFFLINE, "offline", CallOutcome.OFFLINE)

    async def first_answer(self) -> Leg | None:
        """Until somebody answers, nobody is left to be rung, or the time is up."""
        call, route = self._call, self._route
        call.group, call.through = route.group, route.name
        if self._news is None:
            call.caller.ring()
        try:
            if route.strategy == ALL:
                winner = await self._all(route.turns)
            else:
                winner = await self._one_by_one(self._order())
        finally:
            call.group, call.through = None, ""
        return winner

    def verdict(self) -> Verdict:
        """What the caller is told when nobody answered."""
        return self._verdict

    async def _all(self, turns: tuple[Turn, ...]) -> Leg | None:
        waves = sorted((turn for turn in turns if not self._is_busy(turn)), key=_delay)
        at_once = [device for turn in waves if turn.delay == 0 for device in turn.devices]
        later = [(float(turn.delay), turn.devices) for turn in waves if turn.delay]
        ringing = self._ringing()
        winner = await ringing.first_answer(
            at_once, later=later, seconds=float(self._route.ring_seconds)
        )
        self._weigh(ringing.verdict())
        return winner

    async def _one_by_one(self, turns: tuple[Turn, ...]) -> Leg | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._call.around.config.group_seconds
        for turn in turns:
            seconds = min(float(turn.delay + self._route.ring_seconds), deadline - loop.time())
            if self._is_busy(turn) or seconds <= turn.delay:
                continue
            ringing = self._ringing()
            later = [(float(turn.delay), turn.devices)]
            winner = await ringing.first_answer((), later=later, seconds=seconds, is_patient=True)
            if winner is not None:
                self._begin_behind(winner)
                return winner
            self._weigh(ringing.verdict())
        return None

    def _order(self) -> tuple[Turn, ...]:
        """By round: behind whom the round stands. Where that is not known, after a start of the
        exchange, it begins with one drawn by lot."""
        route, rounds = self._route, self._call.around.rounds
        if route.strategy != BY_ROUND:
            return route.turns
        last = rounds.get(route.group)
        if last is None:
            last = secrets.choice(route.turns).position - 1
        order = route.order(last)
        rounds[route.group] = order[0].position
        return order

    def _begin_behind(self, winner: Leg) -> None:
        """The next call begins with whoever stands behind the one that took this call."""
        if self._route.strategy == BY_ROUND:
            for turn in self._route.turns:
                if winner.device in turn.devices:
                    self._call.around.rounds[self._route.group] = turn.position

    def _ringing(self) -> Ringing:
        return Ringing(self._call, number=self._number, news=self._news)

    def _is_busy(self, turn: Turn) -> bool:
        if not self._call.members.is_at_limit(turn.person, turn.most_calls):
            return False
        self._weigh((BUSY, "busy", CallOutcome.BUSY))
        return True

    def _weigh(self, verdict: Verdict) -> None:
        if _WEIGHT.index(verdict[2]) > _WEIGHT.index(self._verdict[2]):
            self._verdict = verdict


def _delay(turn: Turn) -> int:
    return turn.delay
