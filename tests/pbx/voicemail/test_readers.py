"""Who reads a shared mailbox, as the key holder says; members come, go and run out."""

from collections.abc import Collection
from pathlib import Path
from uuid import UUID, uuid4

from pbx.voicemail.readers import Readers
from storage.keyholder.client import KeyHolder, KeyHolderUnavailable
from storage.keyholder.protocol import MailboxView, MemberView

SHARED, OWN, ANNA, BEN = uuid4(), uuid4(), uuid4(), uuid4()


class Table(KeyHolder):
    """Says what it is told to say."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.members: tuple[MemberView, ...] = ()
        self.is_away = False

    async def mailboxes(self) -> tuple[MailboxView, ...]:
        if self.is_away:
            raise KeyHolderUnavailable("away")
        both = (self.box(SHARED, None), self.box(OWN, ANNA), self.box(uuid4(), None, closed=3))
        return both

    def box(self, id: UUID, owner: UUID | None, closed: int | None = None) -> MailboxView:
        return MailboxView(id, uuid4(), owner, 0, closed, None, self.members, ())


def member(person: UUID, start: int = 0, until: int | None = None, kind: str = "member"):  # type: ignore[no-untyped-def]
    return MemberView(person, start, until, kind)


async def test_members_of_shared_mailboxes_are_known_and_others_are_told() -> None:
    table, now, told = Table(), [10], list[set[UUID]]()
    readers = Readers(table, lambda: now[0])

    def changed(mailboxes: Collection[UUID]) -> None:
        told.append(set(mailboxes))

    readers.changed = changed
    table.members = (
        member(ANNA), member(BEN, until=20), member(uuid4(), start=15),
        member(uuid4(), kind="break-glass"),
    )  # fmt: skip
    await readers.refresh()
    assert readers.people_of(SHARED) == {ANNA, BEN}
    assert readers.people_of(OWN) == frozenset()
    assert readers.mailboxes_of(BEN) == [SHARED]

    await readers.refresh()
    assert told == [{SHARED}]
    table.is_away = True
    now[0] = 20
    await readers.refresh()
    assert readers.people_of(SHARED) == {ANNA, BEN}
    table.is_away = False
    table.members = (member(ANNA), member(BEN, until=20))
    await readers.refresh()

    assert readers.people_of(SHARED) == {ANNA}
    assert told == [{SHARED}, {SHARED}]
    assert readers.mailboxes_of(BEN) == []
