"""From a token to the person behind it.

The exchange's own row decides first; then the key holder is asked whether it still knows the
session. While it is away the row alone counts: what needs the key holder fails there by itself.
"""

from uuid import UUID

from pbx.access import sessions as limits
from pbx.access.errors import NotSignedIn
from pbx.access.sessions import EndReason, Session, Terminal
from pbx.admin.plane import Caller, Plane, actor_of
from storage import grants, people, sessions
from storage.conflicts import WrongState
from storage.deeds import Deed
from storage.exceptions import ExceptionKind, in_force
from storage.keyholder.client import KeyHolderUnavailable, Refused
from storage.people import PersonState
from storage.sessions import SessionRecord

AGAIN = "your session has ended: sign in again with `pbx login`"
NOTED_EVERY = 10_000_000
"""Activity is written down at most every ten seconds; limits are minutes."""


class UnknownSession(NotSignedIn):
    """There is no row of it: invented, or opened while none could be written."""


async def authenticate(
    plane: Plane, caller: Caller, handle: bytes, *, activity: bool = True
) -> None:
    """Fills in the caller, or raises `NotSignedIn`; without `activity` idle time goes on."""
    now = caller.deed.at
    async with plane.database.read() as connection:
        record = await sessions.by_digest(connection, limits.digest_of(handle))
        if record is None:
            raise UnknownSession(AGAIN)
        if record.ended_at is not None:
            raise NotSignedIn(AGAIN)
        facts = await people.facts_of(connection, record.person)
        roles = await grants.roles_of(connection, record.person, now)
        patient = await in_force(connection, ExceptionKind.LONGER_IDLE, record.person, now)
    session = _session(record)
    limits.check_owner(session, caller.terminal)
    reason = limits.expiry(session, roles, now, longer_idle=patient)
    if reason is None and (facts.state is not PersonState.ACTIVE or _is_over(facts.until, now)):
        reason = EndReason.SUSPENDED
    # By a recorded exception a session outlives the key holder's own; what needs a proof does not.
    if reason is None and not patient and not await _is_known(plane, handle, activity=activity):
        reason = EndReason.KEY_HOLDER
    if reason is not None:
        await end(plane, plane.deed(), record.id, reason)
        raise NotSignedIn(AGAIN)
    if activity and now - record.seen_at > NOTED_EVERY:
        await _note_activity(plane, record.id, record.person, now)
    caller.locks_at = limits.locks_at(session, roles, longer_idle=patient)
    caller.person, caller.session, caller.handle = record.person, record.id, handle
    caller.roles = roles
    caller.deed = Deed(actor_of(record.person, record.id), caller.deed.operation, now)


async def by_key_holder(plane: Plane, caller: Caller, handle: bytes) -> None:
    """While our own rows cannot be read or written: the key holder's session and roles decide,
    on this machine alone. What is then done needs a proof of its own."""
    if caller.terminal.certificate:
        raise NotSignedIn(AGAIN)
    try:
        state = await plane.keyholder.touch(handle)
    except Refused:
        raise NotSignedIn(AGAIN) from None
    caller.person, caller.session, caller.handle = state.view.person, state.view.id, handle
    caller.roles = frozenset(state.roles)
    actor = actor_of(state.view.person, state.view.id)
    caller.deed = Deed(actor, caller.deed.operation, caller.deed.at)


async def end(plane: Plane, deed: Deed, session: UUID, reason: EndReason) -> None:
    """Ends a session that may have ended in the same moment by another hand."""
    try:
        await plane.run(sessions.end, deed, session, reason)
    except WrongState:
        return


async def _is_known(plane: Plane, handle: bytes, *, activity: bool) -> bool:
    try:
        await plane.keyholder.touch(handle, activity=activity)
    except Refused:
        return False
    except KeyHolderUnavailable:
        return True
    return True


async def used(plane: Plane, caller: Caller) -> None:
    """The person has done something at a screen that otherwise asks by itself."""
    if caller.person is not None and caller.session is not None:
        await _is_known(plane, caller.handle, activity=True)
        await _note_activity(plane, caller.session, caller.person, caller.deed.at)


async def _note_activity(plane: Plane, session: UUID, person: UUID, now: int) -> None:
    async with plane.database.begin() as connection:
        await sessions.touch(connection, session, now)
        await people.seen(connection, person, now)


def _is_over(until: int | None, now: int) -> bool:
    return until is not None and until <= now


def terminal_of(record: SessionRecord) -> Terminal:
    return Terminal(record.os_uid, record.certificate)


def _session(record: SessionRecord) -> Session:
    return Session(
        id=record.id,
        person=record.person,
        terminal=terminal_of(record),
        started_at=record.started_at,
        seen_at=record.seen_at,
        ended_at=record.ended_at,
    )
