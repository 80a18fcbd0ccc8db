"""Undo: the last change of an extension is taken back, by its before in the ledger.

An undone assignment gives the number back to the epoch it was taken from; that mailbox opens
again for its own owner and nobody else, which the key holder checks and wants a proof for. An
undone first assignment just leaves the number to nobody. What was undone stays in the ledger.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.access.errors import RuleBroken
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.wire.fields import Performed
from pbx.admin.wire.phones import Undoing, UndoView
from storage import extensions, history, tenures
from storage.conflicts import Stale, WrongState
from storage.keyholder import acts
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.tenures import Tenure

UNDOABLE = frozenset(
    {Action.EXTENSION_ASSIGNED, Action.EXTENSION_RELEASED, Action.EXTENSION_UNDONE}
)


async def preview(plane: Plane, caller: Caller, extension: UUID) -> UndoView:
    """What an undo would do: the command needs to know which mailbox its proof is about."""

    async def work(unit: Unit) -> UndoView:
        version, earlier, _ = await _found(unit.connection, extension)
        unit.record(caller.deed.entry(Action.EXTENSION_READ, Subject("extension", extension)))
        if earlier is None:
            return UndoView(version=version, mailbox=None, person=None, until=None)
        return UndoView(
            version=version,
            mailbox=earlier.mailbox,
            person=earlier.person,
            until=earlier.until,
        )

    return await plane.committer.run(work)


async def undo(plane: Plane, caller: Caller, extension: UUID, data: Undoing) -> Performed:
    subject = Subject("extension", extension)
    async with plane.database.read() as connection:
        version, earlier, present = await _found(connection, extension)
    if version != data.version:
        raise Stale("extension")
    if earlier is None:
        return await _to_nobody(plane, caller, extension, present)
    if data.proof is None or data.mailbox != earlier.mailbox:
        raise RuleBroken("giving a mailbox back needs your second factor")
    act = acts.ReopenTenure(mailbox=earlier.mailbox, until=earlier.until)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.EXTENSION_UNDONE, subject=subject
    )

    async def work(unit: Unit) -> Tenure | None:
        return await plane.extensions.restore(
            unit, caller.deed, Action.EXTENSION_UNDONE, extension, earlier.id
        )

    try:
        ended = await plane.committer.run(work)
    except BaseException:
        await plane.close_mailbox(earlier.mailbox, caller.deed.operation)
        raise
    if ended is not None:
        await plane.close_mailbox(ended.mailbox, caller.deed.operation)
    return performed(caller, answer)


async def _found(
    connection: AsyncConnection, extension: UUID
) -> tuple[int, Tenure | None, Tenure | None]:
    """Version, the epoch an undo would let go on, and the one that would end."""
    version = await extensions.version_of(connection, extension)
    last = await history.last_of(connection, Subject("extension", extension), UNDOABLE)
    if last.action == Action.EXTENSION_UNDONE:
        raise WrongState("extension", "has no change left that could be undone")
    present = await tenures.open_on(connection, extension)
    if last.before is None:
        return version, None, present
    return version, await tenures.get(connection, UUID(last.before["tenure"])), present


async def _to_nobody(
    plane: Plane, caller: Caller, extension: UUID, present: Tenure | None
) -> Performed:
    if present is None:
        raise WrongState("extension", "has no change left that could be undone")
    verb = plane.extensions.release
    await plane.run(verb, caller.deed, extension, None, Action.EXTENSION_UNDONE)
    await plane.close_mailbox(present.mailbox, caller.deed.operation)
    return Performed(operation=caller.deed.operation)
