"""Who could open a mailbox, from the key holder's table and what has left it."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert

from storage.audit.access import GLASS, How, accesses, with_roles, within
from storage.audit.rows import Found, Place
from storage.keyholder.journal import Entry, Event
from storage.keyholder.protocol import MailboxView, MemberView
from storage.models.people import role_grant
from tests.support.stores import Stores

BOX, ANNA, BEN, CARL, DORA, DEED = (UUID(int=number) for number in range(1, 7))


def box(*members: MemberView, closed: int | None = None, until: int | None = None) -> MailboxView:
    return MailboxView(BOX, BOX, ANNA, 100, closed, until, members, ())


def row(at: int, action: str, after: Any = None, before: Any = None, **more: Any) -> Found:
    parts = {
        "operation": UUID(int=at), "outcome": "done", "actor_kind": "person", "actor": DORA,
        "session": None, "subject_kind": "mailbox", "subject": BOX, "has_detail": False,
    }  # fmt: skip
    place = Place(at, "exchange", at)
    return Found(
        place=place, recorded_at=at, action=action, before=before, after=after, **(parts | more)
    )


def test_the_owner_could_while_the_mailbox_was_open() -> None:
    (open_,) = accesses(box(), (), ())
    (closed,) = accesses(box(closed=500, until=900), (), ())

    assert (open_.person, open_.how, open_.since, open_.until) == (ANNA, How.OWNER, 100, None)
    assert closed.until == 500
    (shared,) = accesses(
        MailboxView(BOX, BOX, None, 100, None, None, (MemberView(BEN, 1, 2, "member"),), ()), (), ()
    )
    assert shared.person == BEN


def test_who_was_a_member_and_is_none_any_more_is_in_the_ledger() -> None:
    rows = [
        row(200, "member.added", {"person": str(BEN), "start": 200, "until": None}),
        row(210, "member.added", {"person": str(CARL), "start": 210, "until": 260}),
        row(220, "member.added", {"person": str(DORA), "start": 220, "until": None}),
        row(230, "member.added", {"person": str(DORA), "start": 230}, outcome="refused"),
        row(240, "member.added", None),
        row(250, "member.removed", before={"person": str(CARL)}, outcome="refused"),
        row(300, "member.removed", before={"person": str(BEN)}),
    ]
    members = MemberView(DORA, 220, None, "member")

    found = accesses(box(members), rows, ())

    assert [(one.person, one.since, one.until, one.source) for one in found] == [
        (ANNA, 100, None, "key holder's table"),
        (BEN, 200, 300, "ledger"),
        (CARL, 210, 260, "ledger"),
        (DORA, 220, None, "key holder's table"),
    ]


def test_a_member_added_anew_has_two_times() -> None:
    rows = [
        row(200, "member.added", {"person": str(BEN), "start": 200, "until": 900}),
        row(400, "member.added", {"person": str(BEN), "start": 400, "until": 800}),
    ]

    found = accesses(box(MemberView(BEN, 400, 800, "member")), rows, ())

    assert [(one.since, one.until) for one in found if one.person == BEN] == [
        (200, 400),
        (400, 800),
    ]


def test_break_glass_is_told_once_by_journal_and_ledger() -> None:
    glass = {"requester": str(BEN), "approver": str(CARL), "until": 1}
    entry = Entry(
        event=Event.CHANGED, act="break-glass", at=1_000, person=BEN, second=CARL, subject=BOX,
        operation=UUID(int=1_000),
    )  # fmt: skip
    other = Entry(event=Event.CHANGED, act="break-glass", at=1, person=BEN, subject=ANNA)
    rows = [
        row(1_000, "break_glass.opened", glass),
        row(5_000, "break_glass.ended", {"person": str(BEN), "reason": "asked"}),
        row(9_000, "break_glass.opened", glass),
        row(9_000 + GLASS, "break_glass.ended", {"person": str(BEN)}),
    ]

    first, second = accesses(box(), rows, [entry, other])[1:]

    assert (first.person, first.approver, first.source) == (BEN, CARL, "journal")
    assert (first.since, first.until, first.how) == (1_000, 5_000, How.BREAK_GLASS)
    assert (second.source, second.until) == ("ledger", 9_000 + GLASS)
    (held,) = accesses(box(MemberView(BEN, 1, 2, "break-glass")), (), ())
    assert held.how is How.OWNER, "told by the breaking itself"


def test_a_span_cuts_what_it_has() -> None:
    found = accesses(box(MemberView(BEN, 10, 20, "member"), closed=500), (), ())

    assert [(one.since, one.until) for one in within(found, 200, 300)] == [(200, 300)]
    assert [(one.since, one.until) for one in within(found, 0, 400)] == [(10, 20), (100, 400)]
    assert within(found, 500, 600) == []


async def test_without_a_role_the_key_holder_would_have_refused(stores: Stores) -> None:
    anna, ben = await stores.hire("anna"), await stores.hire("ben")
    async with stores.database.begin() as connection:
        await connection.execute(
            insert(role_grant).values(
                id=DEED, person_id=anna, role="physician", state="ended", reason_sealed=b"r",
                requested_at=1, by_installation=False, starts_at=50, until=None, ended_at=300,
                version=1,
            )
        )  # fmt: skip
    boxes = MailboxView(BOX, BOX, anna, 100, None, None, (MemberView(ben, 1, 2, "member"),), ())
    found = accesses(boxes, (), ())

    early = await stores.ask(with_roles, within(found, 0, 200))
    late = await stores.ask(with_roles, within(found, 300, 400))

    assert {one.person: one.had_role for one in early} == {anna: True, ben: False}
    assert [one.had_role for one in late] == [False]
    assert await stores.ask(with_roles, []) == []
