"""The live console: one look at everything that the roles of whoever looks allow.

A screen asks every few seconds by itself, so a look leaves no row of its own and keeps no session
from idling out: it is written down that somebody watches, at first and again each hour.
"""

from dataclasses import asdict
from typing import Final
from uuid import UUID

from litestar import get
from litestar.datastructures import State
from litestar.params import FromQuery

from pbx.access.roles import Privilege, privileges_of
from pbx.admin.authentication import used
from pbx.admin.calls import live
from pbx.admin.context import AdminContext
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.phones import registered
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.console import ConsoleView, ExceptionLine, LedgerLine
from storage import history
from storage.exceptions import ExceptionFacts, open_ones
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit

NOTED_EVERY: Final = 3_600_000_000
LINES: Final = 100
"""Of the ledger's end."""


@get(
    "/v1/console",
    opt=needs(Privilege.CONSOLE, Action.CONSOLE_WATCHED, is_passive=True),
    summary="One look at health, calls, phones, alarms, exceptions and the ledger's end",
)
async def look(
    plane: GivenPlane,
    caller: GivenCaller,
    telephony: GivenTelephony,
    state: State,
    active: FromQuery[bool] = False,
) -> ConsoleView:
    """`active`: the person has pressed a key since the last look."""
    context: AdminContext = state.context
    if active:
        await used(plane, caller)
    await _note(plane, caller)
    may = privileges_of(caller.roles)
    async with plane.database.read() as connection:
        labels = await plane.devices.labels(connection)
        relaxed = await open_ones(connection) if Privilege.EXCEPTION_READ in may else None
        lines = await history.newest(connection, LINES) if Privilege.HISTORY_READ in may else None
    watches, reads = Privilege.CALL_WATCH in may, Privilege.DEVICE_READ in may
    return ConsoleView(
        status=context.status(),
        locks_at=caller.locks_at,
        now=caller.deed.at,
        calls=tuple(live(telephony, labels)) if watches else None,
        registrations=tuple(registered(telephony, labels)) if reads else None,
        exceptions=None if relaxed is None else tuple(_line(one, labels) for one in relaxed),
        ledger=None if lines is None else tuple(LedgerLine(**asdict(line)) for line in lines),
    )


async def _note(plane: Plane, caller: Caller) -> None:
    """The row that somebody watches, if there is none of this session and hour."""
    now, session = caller.deed.at, caller.session or caller.someone
    if now - plane.watchers.get(session, now - NOTED_EVERY) < NOTED_EVERY:
        return

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.CONSOLE_WATCHED, Subject("session", session)))

    await plane.committer.run(work)
    recent = {one: at for one, at in plane.watchers.items() if now - at < NOTED_EVERY}
    plane.watchers = recent | {session: now}


def _line(facts: ExceptionFacts, labels: dict[UUID, str]) -> ExceptionLine:
    return ExceptionLine(
        kind=facts.kind,
        subject_kind=facts.subject_kind,
        subject=labels.get(facts.subject, str(facts.subject)),
        owner=facts.owner,
        expires_at=facts.expires_at,
    )


ROUTES = [look]
