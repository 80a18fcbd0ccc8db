"""Names for identifiers in an answer: log-in names, as the key holder knows them, and phones'."""

from dataclasses import dataclass, field
from uuid import UUID

from pbx.admin.plane import Plane
from storage.keyholder.client import KeyHolderError
from storage.keyholder.protocol import MailboxView, PersonView


@dataclass(frozen=True, slots=True)
class Names:
    """What stands beside an identifier; empty for what has no name here."""

    logins: dict[UUID, str] = field(default_factory=dict)
    phones: dict[UUID, str] = field(default_factory=dict)
    people: tuple[PersonView, ...] = ()
    mailboxes: tuple[MailboxView, ...] = ()

    def of(self, id: UUID | None) -> str:
        if id is None:
            return ""
        return self.logins.get(id) or self.phones.get(id, "")

    def login(self, id: UUID | None) -> str:
        return "" if id is None else self.logins.get(id, "")

    def phone(self, id: UUID | None) -> str:
        return "" if id is None else self.phones.get(id, "")


async def names_of(plane: Plane) -> Names:
    """With the key holder away an answer has identifiers alone."""
    async with plane.database.read() as connection:
        phones = await plane.devices.labels(connection)
    try:
        people, mailboxes = await plane.keyholder.people(), await plane.keyholder.mailboxes()
    except KeyHolderError:
        return Names({}, phones)
    return Names({person.id: person.login for person in people}, phones, people, mailboxes)
