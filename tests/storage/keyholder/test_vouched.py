"""storage/keyholder/vouched.py"""

from uuid import UUID

import msgspec
import pytest

from storage.keyholder.acts import Role
from storage.keyholder.journal import Entry, Event
from storage.keyholder.records import (
    Factors,
    Grant,
    Invitation,
    Mailbox,
    Member,
    Person,
    Standing,
    Stretched,
    Tombstone,
)
from storage.keyholder.vouched import vouched

ONE = UUID(int=1)
BOX = Mailbox(UUID(int=2), UUID(int=3), ONE, 0, members=(Member(ONE, 0, None, "member"),))


def person() -> Person:
    grants = tuple(
        Grant(UUID(int=9), role, 0, None, None, None)
        for role in (Role.PRACTICE_MANAGER, Role.PHYSICIAN)
    )
    stretched = Stretched(b"", b"") if len(Stretched.__struct_fields__) == 2 else None
    factors = Factors(stretched, b"", (b"code",))  # type: ignore[arg-type]
    invitation = Invitation(b"", 5)
    return Person(ONE, "one", Standing.ACTIVE, 0, None, factors, None, invitation, grants=grants)


def other() -> Person:
    return msgspec.structs.replace(person(), id=UUID(int=7), login="other")


def restored(since: list[Entry] | None) -> Person:
    found, _ = vouched([person(), other()], since)
    assert isinstance(found, Person)
    return found


def changed(act: str) -> list[Entry]:
    return [Entry(event=Event.CHANGED, act=act, subject=ONE), Entry(event=Event.STARTED)]


def test_members_and_codes_are_not_brought_back() -> None:
    tomb = Tombstone(UUID(int=4), 0)
    box, same = vouched([BOX, tomb], [])
    assert isinstance(box, Mailbox)
    assert box.members == ()
    assert same is tomb
    found = restored([])
    assert found.factors is not None
    assert found.factors.recovery == ()
    assert found.invitation is None
    assert len(found.grants) == 2


def test_without_the_journal_only_managing_roles_are() -> None:
    assert [grant.role for grant in restored(None).grants] == [Role.PRACTICE_MANAGER]


@pytest.mark.parametrize(
    ("act", "standing", "grants"),
    [
        ("leave", "left", 0),
        ("suspend", "suspended", 2),
        ("set-end", "suspended", 2),
        ("revoke-role", "active", 0),
    ],
)
def test_what_the_journal_says_was_taken_away_stays_so(
    act: str, standing: str, grants: int
) -> None:
    found = restored(changed(act))
    assert (found.standing, len(found.grants)) == (standing, grants)


def test_who_was_brought_back_is_not_suspended_again() -> None:
    assert restored(changed("suspend") + changed("reinstate")).standing == "active"


def test_somebody_is_left_who_can_give_roles_again() -> None:
    [found] = vouched([person()], changed("revoke-role"))
    assert isinstance(found, Person)
    assert [grant.role for grant in found.grants] == [Role.PRACTICE_MANAGER]


def test_mailboxes_that_closed_since_stay_closed() -> None:
    def closed(*since: Entry, box: Mailbox = BOX) -> int | None:
        [found] = [row for row in vouched([box, person()], since) if isinstance(row, Mailbox)]
        return found.closed

    def entry(act: str, subject: UUID, also: tuple[UUID, ...] = ()) -> Entry:
        return Entry(event=Event.CHANGED, act=act, subject=subject, also=also, at=7)

    close = entry("close-tenure", BOX.id)
    assert closed() is None
    assert closed(close) == 7
    assert closed(close, entry("reopen-tenure", BOX.id)) is None
    assert closed(entry("open-tenure", UUID(int=8), (BOX.id,))) == 7
    assert closed(entry("leave", ONE)) == 7
    assert closed(close, box=msgspec.structs.replace(BOX, closed=3)) == 3
    assert closed(close, box=msgspec.structs.replace(BOX, owner=None)) == 7
