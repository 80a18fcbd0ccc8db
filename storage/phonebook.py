"""Everything the exchange needs to route and admit, read in one consistent look.

For the exchange's own working copy (`pbx.directory`): nobody is shown any of it, so reading it
leaves no row. It is read again every half minute, while phones wait to be answered: in slices.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import groups, policies
from storage.exceptions import ExceptionKind
from storage.groups import Settings
from storage.models.extensions import device, extension, reach, tenure
from storage.models.groups import ring_group, ring_group_state
from storage.models.mailboxes import shared_mailbox
from storage.models.people import person
from storage.models.policies import exception
from storage.phones import PhoneIdentity, Phones
from storage.reach import UNSET, Reach, opened
from storage.sealed.fields import Cell, FieldKey
from storage.slices import slices


@dataclass(frozen=True, slots=True)
class PhoneFacts:
    """A device with its SIP identity."""

    identity: PhoneIdentity
    place: str
    extension: UUID | None
    md5_until: int
    """When its exception for MD5 ends, in microseconds; 0: it has none."""
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class TenancyFacts:
    """An extension that somebody holds."""

    number: str
    extension: UUID
    tenure: UUID
    person: UUID
    name: str
    mailbox: UUID
    reach: Reach = UNSET


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A number at which a group rings."""

    id: UUID
    number: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Phonebook:
    phones: tuple[PhoneFacts, ...]
    tenancies: tuple[TenancyFacts, ...]
    groups: tuple[GroupFacts, ...] = ()
    values: Mapping[str, int] = field(default_factory=dict)
    """Policy values in force."""


async def read(
    connection: AsyncConnection, fields: FieldKey, phones: Phones, now: int
) -> Phonebook:
    """Devices that were not removed, and open tenures."""
    exceptions = await _md5_exceptions(connection)
    identities = {found.device: found for found in await phones.identities(connection)}
    query = select(device.c.id, device.c.place, device.c.extension_id, device.c.is_shared).where(
        device.c.removed_at.is_(None)
    )
    known: list[PhoneFacts] = []
    async for rows in slices(connection, query):
        for row in rows:
            identity = identities.get(row.id)
            if identity is not None:
                until = 0 if identity.has_used_sha256 else exceptions.get(row.id, 0)
                known.append(
                    PhoneFacts(identity, row.place, row.extension_id, until, row.is_shared)
                )
    tenancies = await _tenancies(connection, fields)
    owned = {held.mailbox for held in tenancies}
    return Phonebook(
        tuple(known),
        tenancies,
        await _groups(connection, fields, owned),
        await policies.values(connection, now),
    )


async def _md5_exceptions(connection: AsyncConnection) -> dict[UUID, int]:
    query = select(exception.c.subject_id, exception.c.expires_at).where(
        exception.c.kind == ExceptionKind.MD5_DEVICE, exception.c.closed_at.is_(None)
    )
    until: dict[UUID, int] = {}
    for row in (await connection.execute(query)).all():
        until[row.subject_id] = max(row.expires_at, until.get(row.subject_id, 0))
    return until


async def _tenancies(connection: AsyncConnection, fields: FieldKey) -> tuple[TenancyFacts, ...]:
    query = (
        select(
            extension.c.id,
            extension.c.number_sealed,
            tenure.c.id.label("tenure_id"),
            tenure.c.mailbox_id,
            person.c.id.label("person_id"),
            person.c.name_sealed,
            reach.c.settings_sealed,
        )
        .join(tenure, tenure.c.extension_id == extension.c.id)
        .join(person, person.c.id == tenure.c.person_id)
        .join(reach, reach.c.id == tenure.c.id, isouter=True)
        .where(tenure.c.ended_at.is_(None))
    )
    found: list[TenancyFacts] = []
    async for rows in slices(connection, query):
        found += [
            TenancyFacts(
                number=fields.open(row.number_sealed, Cell("extension", "number", row.id)),
                extension=row.id,
                tenure=row.tenure_id,
                person=row.person_id,
                name=fields.open(row.name_sealed, Cell("person", "name", row.person_id)),
                mailbox=row.mailbox_id,
                reach=opened(fields, row.tenure_id, row.settings_sealed),
            )
            for row in rows
        ]
    return tuple(found)


async def _groups(
    connection: AsyncConnection, fields: FieldKey, owned: set[UUID]
) -> tuple[GroupFacts, ...]:
    """A mailbox that nobody has any more takes no message of a group's."""
    query = (
        select(
            ring_group.c.id,
            ring_group.c.state_id,
            extension.c.number_sealed,
            ring_group_state.c.settings_sealed,
        )
        .join(extension, extension.c.id == ring_group.c.id)
        .join(ring_group_state, ring_group_state.c.id == ring_group.c.state_id)
    )
    rows = (await connection.execute(query)).all()
    if not rows:
        return ()
    takes = owned | set((await connection.scalars(select(shared_mailbox.c.id))).all())
    found = []
    for row in rows:
        settings = groups.opened(fields, row.state_id, row.settings_sealed)
        if settings.mailbox not in takes:
            settings = msgspec.structs.replace(settings, mailbox=None)
        number = fields.open(row.number_sealed, Cell("extension", "number", row.id))
        found.append(GroupFacts(row.id, number, settings))
    return tuple(found)
