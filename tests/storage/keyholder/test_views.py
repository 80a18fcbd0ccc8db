"""storage/keyholder/views.py"""

from uuid import UUID

from storage.keyholder.acts import Role
from storage.keyholder.records import Grant, Mailbox, Member, Person, Standing
from storage.keyholder.views import mailbox_view, person_view

ONE, TWO = UUID(int=1), UUID(int=2)


def test_a_person_is_shown_with_grants_and_lock() -> None:
    grant = Grant(TWO, Role.BILLING, 1, 2, ONE, TWO, True)

    view = person_view(Person(ONE, "ann", Standing.INVITED, 0, grants=(grant,)), 9)

    assert (view.state, view.enrolled, view.has_pin, view.locked_until) == (
        "invited",
        False,
        False,
        9,
    )
    assert (view.grants[0].approver, view.grants[0].sole) == (TWO, True)


def test_a_mailbox_is_shown_with_members_and_holds() -> None:
    member = Member(TWO, 1, None, "break-glass")

    view = mailbox_view(Mailbox(ONE, TWO, None, 0, members=(member,), holds=(TWO,)))

    assert (view.members[0].kind, view.holds, view.owner) == ("break-glass", (TWO,), None)
