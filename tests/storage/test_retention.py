"""Retention: after listening, never unheard, never on hold; hidden first, destroyed later."""

from uuid import UUID

from storage import greetings, messages, policies, retention
from storage.holds import Holds
from storage.identifiers import new_id
from storage.keyholder.acts import Role
from storage.messages import NewMessage
from storage.retention import Rules
from tests.support.clock import DAY
from tests.support.stores import Stores
from tests.support.voicemail import BOX, left

OTHER = UUID(int=78)


async def heard(stores: Stores, mailbox: UUID = BOX) -> NewMessage:
    new = await left(stores, mailbox)
    await stores.do(messages.heard, new.id)
    return new


async def test_what_was_heard_is_due_after_its_days_and_the_unheard_never(stores: Stores) -> None:
    one, _ = await heard(stores), await left(stores)

    assert await stores.ask(retention.to_hide, stores.clock() + 89 * DAY) == []
    [due] = await stores.ask(retention.to_hide, stores.clock() + 90 * DAY)

    assert (due.message, due.rule) == (one.id, "voicemail-retention-days: 90")
    [later] = await stores.ask(retention.to_hide, stores.clock() + 5000 * DAY)
    assert later.message == one.id


async def test_who_brings_a_message_back_gives_it_its_time_again_and_who_saves_it_twice_does_not(
    stores: Stores,
) -> None:
    back, kept = await heard(stores), await heard(stores)
    stores.clock.now += 60 * DAY
    await stores.do(messages.save, kept.id)
    await stores.do(messages.delete, back.id, "owner")
    await stores.do(messages.undelete, back.id)

    at_first = await stores.ask(retention.to_hide, stores.clock() + 30 * DAY)
    later = await stores.ask(retention.to_hide, stores.clock() + 90 * DAY)

    assert [due.message for due in at_first] == [kept.id]
    assert {due.message for due in later} == {kept.id, back.id}


async def test_a_mailbox_may_have_days_of_its_own(stores: Stores) -> None:
    one, _ = await heard(stores), await heard(stores, OTHER)
    await stores.do(greetings.keep_for, BOX, 0, 10)

    due = await stores.ask(retention.to_hide, stores.clock() + 10 * DAY)

    assert [each.message for each in due] == [one.id]


def test_of_several_roles_the_one_that_keeps_longest_counts() -> None:
    rules = Rules(
        default=90, undelete=30,
        by_role={Role.PHYSICIAN: 365, Role.BILLING: 30, Role.FRONT_DESK: 0},
        by_mailbox={},
        roles_of_mailbox={
            BOX: frozenset({Role.PHYSICIAN, Role.BILLING}), OTHER: frozenset({Role.FRONT_DESK}),
        },
        held=frozenset(),
    )  # fmt: skip

    assert rules.days(BOX) == (365, "voicemail-retention-days-physician: 365")
    assert rules.days(OTHER) == (90, "voicemail-retention-days: 90")


async def test_a_hold_stops_both_steps(stores: Stores) -> None:
    await heard(stores)
    gone = await left(stores)
    await stores.do(messages.adopted, gone.id, b"own")
    await stores.do(messages.delete, gone.id, "owner")
    holds, hold = Holds(stores.fields), new_id(stores.clock)
    late = stores.clock() + 400 * DAY
    assert len(await stores.ask(retention.to_hide, late)) == 1
    assert len(await stores.ask(retention.to_destroy, late)) == 1

    await stores.do(holds.place, hold, BOX, "why", hold)

    assert await stores.ask(retention.to_hide, late) == []
    assert await stores.ask(retention.to_destroy, late) == []


async def test_destruction_waits_for_the_days_of_undelete_and_for_a_secret_of_its_own(
    stores: Stores,
) -> None:
    one = await left(stores)
    await stores.do(messages.delete, one.id, "owner")
    late = stores.clock() + 30 * DAY
    assert await stores.ask(retention.to_destroy, late) == []
    await stores.do(messages.adopted, one.id, b"own")

    assert await stores.ask(retention.to_destroy, late - DAY) == []
    [due] = await stores.ask(retention.to_destroy, late)

    assert (due.message, due.content, due.rule) == (
        one.id, one.content, "voicemail-undelete-days: 30",
    )  # fmt: skip
    await stores.do(policies.set_value, "voicemail-undelete-days", 0, 60, None, UUID(int=3))
    assert await stores.ask(retention.to_destroy, late) == []
