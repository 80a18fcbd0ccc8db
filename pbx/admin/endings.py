"""How a person's access ends: suspended, or gone; by a colleague's word, by date, or by disuse.

A colleague proves it to the key holder, which ends factors, sessions, grants and memberships in
its own table; the exchange's rows follow in one unit of work with a ledger row each, then every
registered part. By date and by disuse the exchange ends what is its own, and the key holder looks
at its own table and clock (`catch_up`). While the key holder is away the exchange's part ends all
the same; what is missing there is shown until somebody proves it.
"""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog

from pbx.access.errors import RuleBroken
from pbx.access.policy import check_administrator_remains, check_approver_remains
from pbx.access.roles import APPROVING_ROLES, Role
from pbx.access.sessions import EndReason
from pbx.admin import epochs
from pbx.admin.enders import Ended
from pbx.admin.plane import Caller, Plane
from storage import exceptions, grants, people, sessions, tenures
from storage.deeds import Deed
from storage.keyholder import acts
from storage.keyholder.client import KeyHolderUnavailable
from storage.keyholder.protocol import State
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.people import PersonState

KEY_HOLDER = "factors and key-holder sessions"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Departed:
    """What ended, and how long everything took."""

    operation: UUID
    person: UUID
    at: int
    milliseconds: int
    ended: tuple[Ended, ...]


async def by_colleague(
    plane: Plane, caller: Caller, person: UUID, proof: bytes | None, *, for_good: bool
) -> Departed:
    """Ends everything of a person for good, or what is open now until they are reinstated."""
    started = time.monotonic()
    await _check_remains(plane, person, caller.deed.at, for_good=for_good)
    factors = await _at_key_holder(plane, caller, person, proof, for_good=for_good)
    own = await _own(plane, caller.deed, person, "asked", for_good=for_good)
    rest = await plane.enders.end_all(person)
    took = int((time.monotonic() - started) * 1000)
    return Departed(caller.deed.operation, person, caller.deed.at, took, (*own, factors, *rest))


async def by_itself(
    plane: Plane, deed: Deed, person: UUID, reason: str, *, for_good: bool
) -> list[Ended]:
    """The exchange's part of an ending that nobody has to prove: a date, disuse, or what the key
    holder has ended already. The key holder looks for itself."""
    plane.is_behind = True
    own = await _own(plane, deed, person, reason, for_good=for_good)
    return [*own, *await plane.enders.end_all(person)]


async def _check_remains(plane: Plane, person: UUID, now: int, *, for_good: bool) -> None:
    async with plane.database.read() as connection:
        administrators = await grants.enrolled_holders(connection, now, Role.SYSTEM_ADMINISTRATOR)
        approvers = await grants.enrolled_holders(connection, now, *APPROVING_ROLES)
    check_administrator_remains(person, administrators)
    if for_good:
        check_approver_remains(person, approvers)


async def _at_key_holder(
    plane: Plane, caller: Caller, person: UUID, proof: bytes | None, *, for_good: bool
) -> Ended:
    if proof is None:
        if await _is_there(plane):
            raise RuleBroken("ending somebody's access needs your second factor")
        log.warning("an ending waits for the key holder", operation=str(caller.deed.operation))
        plane.is_behind = True
        return Ended(KEY_HOLDER, 0, complete=False)
    act = acts.Leave(person) if for_good else acts.Suspend(person)
    subject = Subject("person", person)
    await plane.perform(caller, act, proof, action=_action(for_good), subject=subject)
    plane.is_behind = True  # until our own rows have followed, and what waited is looked at again
    return Ended(KEY_HOLDER, 1)


async def _is_there(plane: Plane) -> bool:
    try:
        return (await plane.keyholder.ping()).state is State.READY
    except KeyHolderUnavailable:
        return False


async def _own(
    plane: Plane, deed: Deed, person: UUID, reason: str, *, for_good: bool
) -> list[Ended]:
    """Done once, whoever comes first: a colleague, or the look at both tables."""
    subject = Subject("person", person)

    async def work(unit: Unit) -> list[Ended]:
        state = (await people.facts_of(unit.connection, person)).state
        if state is PersonState.LEFT or (state is PersonState.SUSPENDED and not for_good):
            unit.record(deed.entry(_action(for_good), subject, after={"state": state.value}))
            return []
        if for_good:
            return await _everything(plane, unit, deed, person, reason)
        await plane.people.suspend(unit, deed, person, reason)
        closed = await sessions.end_all(unit, deed, person, EndReason.SUSPENDED)
        return [Ended("account", 1), Ended("command-line sessions", len(closed))]

    return await plane.committer.run(work)


async def _everything(
    plane: Plane, unit: Unit, deed: Deed, person: UUID, reason: str
) -> list[Ended]:
    await plane.people.leave(unit, deed, person, reason)
    closed = await sessions.end_all(unit, deed, person, EndReason.LEFT)
    ended = await plane.grants.end_all(unit, deed, person, "left")
    held = await tenures.open_of(unit.connection, person)
    for tenure in held:
        await epochs.give_way(plane, unit, deed, tenure)
    owned = await exceptions.owned_by(unit.connection, person)
    for exception in owned:
        await plane.exceptions.close(unit, deed, exception, "owner left")
    return [
        Ended("account", 1),
        Ended("command-line sessions", len(closed)),
        Ended("role grants", len(ended)),
        Ended("extensions", len(held)),
        Ended("exceptions", len(owned)),
    ]


def _action(for_good: bool) -> Action:
    return Action.PERSON_LEFT if for_good else Action.PERSON_SUSPENDED
