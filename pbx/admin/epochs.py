"""What an epoch of a number leaves behind when it ends: nobody, or the one it interrupted."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.admin.plane import Plane
from storage import people, tenures
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.unit import Unit
from storage.people import PersonState
from storage.tenures import Tenure


async def give_way(plane: Plane, unit: Unit, deed: Deed, tenure: Tenure) -> None:
    """A temporary epoch gives way to the one it interrupted, if its holder is still here."""
    if tenure.follows is not None and await _may_resume(unit.connection, tenure.follows):
        action, earlier = Action.EXTENSION_ASSIGNED, tenure.follows
        await plane.extensions.restore(unit, deed, action, tenure.extension, earlier)
    else:
        await plane.extensions.release(unit, deed, tenure.extension)


async def _may_resume(connection: AsyncConnection, tenure: UUID) -> bool:
    earlier = await tenures.get(connection, tenure)
    return (await people.facts_of(connection, earlier.person)).state is PersonState.ACTIVE


async def closing(connection: AsyncConnection, tenure: Tenure | None) -> tuple[UUID, ...]:
    """The mailboxes that close for good when this epoch does and nothing is to be resumed."""
    if tenure is None:
        return ()
    interrupted = await tenures.interrupted_by(connection, tenure)
    return (tenure.mailbox, *(earlier.mailbox for earlier in interrupted))
