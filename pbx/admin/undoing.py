"""Undo: the last change of an extension is taken back, by its before in the ledger.

An undone assignment gives the number back to the epoch it was taken from; that mailbox opens
again for its own owner and nobody else, which takes two people at the key holder. An epoch that was
only interrupted just goes on, and an undone first assignment leaves the number to nobody: one
person proves that. What was undone stays in the ledger.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.access.errors import RuleBroken
from pbx.admin import epochs
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.wire.fields import Performed
from pbx.admin.wire.groups import LastChange
from pbx.admin.wire.phones import Undoing, UndoView
from storage import extensions, groups, history, reach, tenures
from storage.conflicts import Stale, WrongState
from storage.deeds import Deed
from storage.keyholder import acts
from storage.keyholder.protocol import Waiting
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.tenures import Tenure

UNDOABLE = frozenset(
    {Action.EXTENSION_ASSIGNED, Action.EXTENSION_RELEASED, Action.EXTENSION_UNDONE}
)


@dataclass(frozen=True, slots=True)
class Undo:
    """What taking the last change back would do."""

    extension: UUID
    version: int
    earlier: Tenure | None
    """The epoch that would go on; None: the number would belong to nobody."""
    closes: tuple[UUID, ...]
    is_closed: bool
    """Whether the earlier epoch's mailbox has closed, or was only interrupted."""

    def act(self) -> acts.ReopenTenure | acts.CloseTenure:
        if self.earlier is not None and self.is_closed:
            mailbox, until = self.earlier.mailbox, self.earlier.until
            return acts.ReopenTenure(mailbox=mailbox, until=until, closes=self.closes)
        if not self.closes:
            raise WrongState("extension", "has no change left that could be undone")
        return acts.CloseTenure(mailbox=self.closes[0], closes=self.closes[1:])


async def last_of(plane: Plane, caller: Caller, extension: UUID) -> LastChange:
    """What the newest change of a number that an undo knows was about."""

    async def work(unit: Unit) -> LastChange:
        unit.record(caller.deed.entry(Action.EXTENSION_READ, Subject("extension", extension)))
        kind = await history.newest_of(
            unit.connection,
            extension,
            {
                "assignment": ("extension", UNDOABLE),
                "settings": ("extension", reach.CHANGES),
                "group": ("group", groups.CHANGES),
            },
        )
        is_group = kind == "group"
        version = await groups.version_of(unit.connection, extension) if is_group else 0
        return LastChange(kind=kind, version=version)

    return await plane.committer.run(work)


async def preview(plane: Plane, caller: Caller, extension: UUID) -> UndoView:
    """What an undo would do: the command needs to know which mailboxes its proof is about."""

    async def work(unit: Unit) -> UndoView:
        found = await _found(unit.connection, extension)
        unit.record(caller.deed.entry(Action.EXTENSION_READ, Subject("extension", extension)))
        earlier = found.earlier
        return UndoView(
            version=found.version,
            mailbox=earlier.mailbox if earlier is not None and found.is_closed else None,
            person=earlier.person if earlier is not None else None,
            until=earlier.until if earlier is not None else None,
            closes=found.closes,
        )

    return await plane.committer.run(work)


async def undo(plane: Plane, caller: Caller, extension: UUID, data: Undoing) -> Performed:
    async with plane.database.read() as connection:
        found = await _found(connection, extension)
    act = found.act()
    if found.version != data.version:
        raise Stale("extension")
    if isinstance(act, acts.ReopenTenure) and data.mailbox != act.mailbox:
        raise RuleBroken("name the mailbox that opens again")
    answer = await plane.perform(
        caller,
        act,
        data.proof,
        action=Action.EXTENSION_UNDONE,
        subject=Subject("extension", extension),
    )
    if not isinstance(answer, Waiting):
        await plane.run(_apply, caller.deed, plane, found)
    return performed(caller, answer)


async def check_undoable(plane: Plane, act: acts.ReopenTenure) -> None:
    """Before the second person's yes: what was asked for is still what an undo would do."""
    async with plane.database.read() as connection:
        earlier = await tenures.of_mailbox(connection, act.mailbox)
        if earlier is None or (await _found(connection, earlier.extension)).act() != act:
            raise Stale("extension")


async def _found(connection: AsyncConnection, extension: UUID) -> Undo:
    version = await extensions.version_of(connection, extension)
    last = await history.last_of(connection, Subject("extension", extension), UNDOABLE)
    if last.action == Action.EXTENSION_UNDONE:
        raise WrongState("extension", "has no change left that could be undone")
    present = await tenures.open_on(connection, extension)
    if last.before is None:
        return Undo(extension, version, None, await epochs.closing(connection, present), False)
    earlier = await tenures.get(connection, UUID(last.before["tenure"]))
    interrupted = present is not None and present.follows == earlier.id
    closes = () if present is None else (present.mailbox,)
    return Undo(extension, version, earlier, closes, not interrupted)


async def _apply(unit: Unit, deed: Deed, plane: Plane, found: Undo) -> None:
    """One person was enough: nothing opens that was closed."""
    action = Action.EXTENSION_UNDONE
    if found.earlier is None:
        await plane.extensions.release(unit, deed, found.extension, None, action)
    else:
        await plane.extensions.restore(unit, deed, action, found.extension, found.earlier.id)
