"""What ends or reverts by itself: sessions, people's end dates, disuse, grants, epochs, exceptions.

`tick` is called every two seconds by `run`, and by tests with a clock of their own. Each thing that
comes to its end does so in a unit of work of its own, by the actor `system`, with a row. One that
fails is logged and tried again; it never holds up the others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.access import sessions as limits
from pbx.access.policy import DAY
from pbx.access.roles import APPROVING_ROLES, Role
from pbx.access.sessions import EndReason, Session
from pbx.admin import endings, epochs
from pbx.admin.authentication import end, terminal_of
from pbx.admin.catch_up import catch_up
from pbx.admin.plane import Plane
from pbx.admin.sessions import end_at_key_holder
from storage import exceptions, grants, people, policies, sessions, tenures
from storage.exceptions import ExceptionKind
from storage.keyholder.client import KeyHolderError
from storage.ledger.unit import Unit
from storage.people import PersonFacts
from storage.sessions import SessionRecord
from storage.tenures import Tenure

EVERY_SECONDS: Final = 2.0
LOOK_EVERY: Final = 3_600_000_000

log = structlog.get_logger()
Chore = Callable[[], Awaitable[object]]


class Lifecycle:
    """The exchange's own sense of time for accounts."""

    def __init__(self, plane: Plane, every_seconds: float = EVERY_SECONDS) -> None:
        self._plane = plane
        self._every_seconds = every_seconds
        plane.catch_up = self._catch_up

    async def run(self) -> None:
        """For ever; the service cancels it."""
        try:
            while True:
                try:
                    await self.tick()
                except Exception as failure:
                    log.error("what is due could not be looked up", exc_info=failure)
                await asyncio.sleep(self._every_seconds)
        finally:
            await self._plane.report_floods(all_=True)

    async def tick(self) -> int:
        """Ends what is due now; answers how many things that were."""
        await self._plane.report_floods()
        ended = 0
        for chore in await self._due():
            ended += await self._attempt(chore)
        if self._plane.is_behind or self._plane.clock() >= self._plane.look_at:
            ended += await self._attempt(self._catch_up)
        return ended

    async def _due(self) -> list[Chore]:
        plane, now = self._plane, self._plane.clock()
        async with plane.database.read() as connection:
            days = await policies.value_of(connection, "idle-suspension-days", now)
            persons = await people.due(connection, now, now - days * DAY)
            plane.sole_grants = await grants.in_force_by_installation(connection, now)
            administrators = await grants.enrolled_holders(
                connection, now, Role.SYSTEM_ADMINISTRATOR
            )
            approvers = await grants.enrolled_holders(connection, now, *APPROVING_ROLES)
            chores: list[Chore] = [
                *[
                    self._session(record, reason)
                    for record in await sessions.live(connection)
                    if (reason := await self._expiry(connection, record, now)) is not None
                ],
                *(self._grant(facts.id) for facts in await grants.expired(connection, now)),
                *(self._tenure(tenure) for tenure in await tenures.expired(connection, now)),
                *(self._exception(id) for id in await exceptions.expired(connection, now)),
                *(self._policy(name) for name in await policies.expired(connection, now)),
            ]
        # The last administrator is never locked out by a date or by a long holiday, nor the last
        # two who approve for each other by a holiday: nobody could bring back whoever was.
        sole = administrators if len(administrators) == 1 else frozenset()
        missed = approvers if len(approvers) <= 2 else frozenset()
        chores += [
            self._person(facts, now)
            for facts in persons
            if facts.id not in (sole if _is_over(facts, now) else sole | missed)
        ]
        return chores

    async def _expiry(
        self, connection: AsyncConnection, record: SessionRecord, now: int
    ) -> EndReason | None:
        roles = await grants.roles_of(connection, record.person, now)
        longer = await exceptions.in_force(
            connection, ExceptionKind.LONGER_IDLE, record.person, now
        )
        session = Session(
            record.id, record.person, terminal_of(record), record.started_at, record.seen_at, None
        )
        return limits.expiry(session, roles, now, longer_idle=longer)

    async def _attempt(self, chore: Chore) -> int:
        try:
            done = await chore()
        except KeyHolderError:
            return 0
        except Exception as failure:
            log.error("something due could not be ended", exc_info=failure)
            return 0
        return done if isinstance(done, int) else 1

    async def _catch_up(self) -> int:
        """Also every hour: the key holder's dates may come before ours."""
        plane = self._plane
        plane.look_at = plane.clock() + LOOK_EVERY
        return await catch_up(plane)

    def _session(self, record: SessionRecord, reason: EndReason) -> Chore:
        async def chore() -> None:
            await end(self._plane, self._plane.deed(), record.id, reason)
            await end_at_key_holder(self._plane, record.person, record.id)

        return chore

    def _person(self, facts: PersonFacts, now: int) -> Chore:
        plane = self._plane
        for_good = _is_over(facts, now)
        reason = "end date" if for_good else "unused"
        return lambda: endings.by_itself(plane, plane.deed(), facts.id, reason, for_good=for_good)

    def _grant(self, grant: UUID) -> Chore:
        plane = self._plane
        return lambda: plane.run(plane.grants.revoke, plane.deed(), grant, "end date")

    def _tenure(self, tenure: Tenure) -> Chore:
        plane = self._plane

        async def work(unit: Unit) -> None:
            await epochs.give_way(plane, unit, plane.deed(), tenure)

        async def chore() -> None:
            plane.is_behind = True  # the key holder closes the mailbox by its own table
            await plane.committer.run(work)

        return chore

    def _exception(self, exception: UUID) -> Chore:
        plane = self._plane
        return lambda: plane.run(plane.exceptions.close, plane.deed(), exception, "expired")

    def _policy(self, name: str) -> Chore:
        plane = self._plane
        return lambda: plane.run(policies.revert, plane.deed(), name)


def _is_over(facts: PersonFacts, now: int) -> bool:
    return facts.until is not None and facts.until <= now
