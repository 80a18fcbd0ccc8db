"""From what people type (a log-in name, a number, a label, an identifier) to the row it means."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.admin.plane import Plane
from storage.conflicts import NotFound

Finding = Callable[[AsyncConnection, str], Awaitable[UUID | None]]


async def person(plane: Plane, who: str) -> UUID:
    return await _found(plane, who, plane.people.find, "person")


async def extension(plane: Plane, number: str) -> UUID:
    return await _found(plane, number, plane.extensions.find, "extension")


async def device(plane: Plane, label: str) -> UUID:
    return await _found(plane, label, plane.devices.find, "device")


async def site(plane: Plane, name: str) -> UUID:
    return await _found(plane, name, plane.sites.find, "site")


async def mailbox(plane: Plane, label: str) -> UUID:
    return await _found(plane, label, plane.mailboxes.find, "mailbox")


async def _found(plane: Plane, text: str, find: Finding, kind: str) -> UUID:
    if (known := identifier(text)) is not None:
        return known
    async with plane.database.read() as connection:
        found = await find(connection, text)
    if found is None:
        raise NotFound(kind)
    return found


def identifier(text: str) -> UUID | None:
    """Only the canonical form: `UUID()` accepts braces, prefixes and bare digits."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
