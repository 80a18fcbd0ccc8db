"""What happens to the phones of somebody who left.

A phone in a shared place stays: it is the clinic's, it rings for nobody until it is assigned
again, and it calls for help. A private phone may be an application on the leaver's own machine:
its secret and certificate open nothing from now on, and its connections end.
"""

from uuid import UUID

from sqlalchemy import select

from storage.deeds import Deed
from storage.devices import Place
from storage.identifiers import Clock, new_id
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.models.extensions import device, tenure
from storage.models.people import person as people
from storage.models.phones import phone_identity
from storage.people import PersonState
from storage.phones import Phones


async def shut(committer: Committer, phones: Phones, clock: Clock, person: UUID) -> int:
    """Idempotent; how many phones there were."""

    async def work(unit: Unit) -> int:
        found = await _theirs(unit, person)
        deed = Deed(SYSTEM, new_id(clock), clock())
        for id in found:
            await phones.shut(unit, deed, id)
        return len(found)

    return await committer.run(work)


async def _theirs(unit: Unit, person: UUID) -> list[UUID]:
    """Private phones that can log in, of extensions they held and nobody has taken over."""
    held = select(tenure.c.extension_id).where(tenure.c.person_id == person)
    taken = select(tenure.c.extension_id).where(
        tenure.c.ended_at.is_(None), tenure.c.person_id != person
    )
    left = select(people.c.id).where(people.c.id == person, people.c.state == PersonState.LEFT)
    query = (
        select(device.c.id)
        .join(phone_identity, phone_identity.c.id == device.c.id)
        .where(
            left.exists(),
            device.c.removed_at.is_(None),
            device.c.place == Place.PRIVATE,
            device.c.extension_id.in_(held),
            device.c.extension_id.not_in(taken),
            phone_identity.c.ha1_sealed.is_not(None) | phone_identity.c.certificate.is_not(None),
        )
    )
    return list((await unit.connection.scalars(query)).all())
