"""Undo: the last change of an extension is taken back, by its before in the ledger.

An undone assignment gives the number back to the epoch it was taken from; that mailbox opens
again for its own owner and nobody else, which the key holder checks and wants a proof for. An
undone first assignment just leaves the number to nobody. What was undone stays in the ledger.
"""

from uuid import UUID

from pbx.access.errors import RuleBroken
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.wire.fields import Performed
from pbx.admin.wire.phones import Undoing
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


async def undo(plane: Plane, caller: Caller, extension: UUID, data: Undoing) -> Performed:
    subject = Subject("extension", extension)
    async with plane.database.read() as connection:
        if await extensions.version_of(connection, extension) != data.version:
            raise Stale("extension")
        last = await history.last_of(connection, subject, UNDOABLE)
        present = await tenures.open_on(connection, extension)
        if last.action == Action.EXTENSION_UNDONE:
            raise WrongState("extension", "has no change left that could be undone")
        earlier = (
            None
            if last.before is None
            else await tenures.get(connection, UUID(last.before["tenure"]))
        )
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


async def _to_nobody(
    plane: Plane, caller: Caller, extension: UUID, present: Tenure | None
) -> Performed:
    if present is None:
        raise WrongState("extension", "has no change left that could be undone")
    verb = plane.extensions.release
    await plane.run(verb, caller.deed, extension, None, Action.EXTENSION_UNDONE)
    await plane.close_mailbox(present.mailbox, caller.deed.operation)
    return Performed(operation=caller.deed.operation)
