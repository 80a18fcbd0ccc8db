"""From what people type (a log-in name, a number, a label, an identifier) to the row it means."""

from uuid import UUID

from pbx.admin.plane import Plane
from storage.conflicts import NotFound


async def person(plane: Plane, who: str) -> UUID:
    if (known := identifier(who)) is not None:
        return known
    async with plane.database.read() as connection:
        found = await plane.people.find(connection, who)
    if found is None:
        raise NotFound("person")
    return found


async def extension(plane: Plane, number: str) -> UUID:
    if (known := identifier(number)) is not None:
        return known
    async with plane.database.read() as connection:
        found = await plane.extensions.find(connection, number)
    if found is None:
        raise NotFound("extension")
    return found


async def device(plane: Plane, label: str) -> UUID:
    if (known := identifier(label)) is not None:
        return known
    async with plane.database.read() as connection:
        found = await plane.devices.find(connection, label)
    if found is None:
        raise NotFound("device")
    return found


async def site(plane: Plane, name: str) -> UUID:
    if (known := identifier(name)) is not None:
        return known
    async with plane.database.read() as connection:
        found = await plane.sites.find(connection, name)
    if found is None:
        raise NotFound("site")
    return found


async def mailbox(plane: Plane, label: str) -> UUID:
    if (known := identifier(label)) is not None:
        return known
    async with plane.database.read() as connection:
        found = await plane.mailboxes.find(connection, label)
    if found is None:
        raise NotFound("mailbox")
    return found


def identifier(text: str) -> UUID | None:
    """Only the canonical form: `UUID()` accepts braces, prefixes and bare digits."""
    if len(text) != 36:
        return None
    try:
        return UUID(text)
    except ValueError:
        return None
