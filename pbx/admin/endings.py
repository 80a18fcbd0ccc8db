"""How a person's access ends: suspended, or gone; by a colleague's word, by date, or by disuse.

The exchange's own rows end first, in one unit of work with a ledger row each. The key holder
follows (it ends factors, sessions, grants and memberships by its own table), then every registered
part. If the key holder is away the revocation waits and is applied before anything else is asked
of it (see `catch_up`).
"""

import time
from dataclasses import dataclass
from uuid import UUID

import structlog

from pbx.access.policy import check_administrator_remains
from pbx.access.roles import Role
from pbx.access.sessions import EndReason
from pbx.admin.enders import Ended
from pbx.admin.plane import Plane
from storage import exceptions, grants, sessions
from storage.deeds import Deed
from storage.keyholder.client import KeyHolderUnavailable, Refused
from storage.keyholder.protocol import Evidence
from storage.ledger.row import leaf
from storage.ledger.unit import Unit

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Departed:
    """What ended, and how long everything took."""

    operation: UUID
    person: UUID
    at: int
    milliseconds: int
    ended: tuple[Ended, ...]


async def leave(plane: Plane, deed: Deed, person: UUID, reason: str) -> Departed:
    """Ends everything of a person for good."""
    return await _ended(plane, deed, person, reason, for_good=True)


async def suspend(plane: Plane, deed: Deed, person: UUID, reason: str) -> Departed:
    """Ends what is open now; grants and tenures wait for the person to be reinstated."""
    return await _ended(plane, deed, person, reason, for_good=False)


async def _ended(
    plane: Plane, deed: Deed, person: UUID, reason: str, *, for_good: bool
) -> Departed:
    started = time.monotonic()
    units: list[Unit] = []

    async def work(unit: Unit) -> list[Ended]:
        units.append(unit)
        administrators = await grants.holders(unit.connection, Role.SYSTEM_ADMINISTRATOR, deed.at)
        check_administrator_remains(person, administrators)
        if not for_good:
            await plane.people.suspend(unit, deed, person, reason)
            closed = await sessions.end_all(unit, deed, person, EndReason.SUSPENDED)
            return [Ended("account", 1), Ended("command-line sessions", len(closed))]
        return await _everything(plane, unit, deed, person, reason)

    own = await plane.committer.run(work)
    evidence = Evidence(deed.operation, leaf(units[-1].rows[0]))
    factors = await revoke(plane, person, evidence, for_good=for_good)
    rest = await plane.enders.end_all(person)
    took = int((time.monotonic() - started) * 1000)
    return Departed(deed.operation, person, deed.at, took, (*own, factors, *rest))


async def _everything(
    plane: Plane, unit: Unit, deed: Deed, person: UUID, reason: str
) -> list[Ended]:
    await plane.people.leave(unit, deed, person, reason)
    closed = await sessions.end_all(unit, deed, person, EndReason.LEFT)
    ended = await plane.grants.end_all(unit, deed, person, "left")
    tenures = await plane.extensions.release_all(unit, deed, person)
    owned = await exceptions.owned_by(unit.connection, person)
    for exception in owned:
        await plane.exceptions.close(unit, deed, exception, "owner left")
    return [
        Ended("account", 1),
        Ended("command-line sessions", len(closed)),
        Ended("role grants", len(ended)),
        Ended("extensions", len(tenures)),
        Ended("exceptions", len(owned)),
    ]


async def revoke(plane: Plane, person: UUID, evidence: Evidence, *, for_good: bool) -> Ended:
    """The key holder's side; only takes away, so it needs nobody's proof."""
    try:
        await plane.keyholder.revoke(person, evidence, leave=for_good)
    except Refused:
        # It never knew the person, or has ended them already.
        return Ended("factors and key-holder sessions", 0)
    except KeyHolderUnavailable:
        plane.is_behind = True
        log.warning("a revocation waits for the key holder", operation=str(evidence.operation))
        return Ended("factors and key-holder sessions", 0, complete=False)
    return Ended("factors and key-holder sessions", 1)
