"""From what people type (a log-in name, a number, a label, an identifier) to the row it means."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.access.errors import RuleBroken
from pbx.admin.plane import Plane
from storage import groups, tenures
from storage.conflicts import NotFound

Finding = Callable[[AsyncConnection, str], Awaitable[UUID | None]]


async def person(plane: Plane, who: str) -> UUID:
    return await _found(plane, who, plane.people.find, "person")


async def extension(plane: Plane, number: str) -> UUID:
    return await _found(plane, number, plane.extensions.find, "extension")


async def group(plane: Plane, number: str) -> UUID:
    """A number at which a group rings, or rang."""
    try:
        found = await extension(plane, number)
        async with plane.database.read() as connection:
            await groups.version_of(connection, found)
    except NotFound:
        raise NotFound("group") from None
    return found


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


async def any_mailbox(plane: Plane, what: str) -> UUID:
    """An identifier, a shared mailbox's label, or who or which number has it now."""
    if (known := identifier(what)) is not None:
        return known
    async with plane.database.read() as connection:
        shared = await plane.mailboxes.find(connection, what)
        extension = await plane.extensions.find(connection, what)
        tenure = extension and await tenures.open_on(connection, extension)
        person = await plane.people.find(connection, what)
        own = await tenures.open_of(connection, person) if person else []
    found = {shared, tenure.mailbox if tenure else None, *(one.mailbox for one in own)} - {None}
    if len(found) > 1:
        raise RuleBroken("several mailboxes are meant: name the number or the identifier")
    for mailbox in found:
        if mailbox is not None:
            return mailbox
    raise NotFound("mailbox")


def identifier(text: str) -> UUID | None:
    """Only the canonical form: `UUID()` accepts braces, prefixes and bare digits."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
