"""Greetings: one of a kind, chosen only when recorded, gone with the tenure."""

from uuid import UUID

import pytest

from storage import greetings
from storage.conflicts import NotFound, Stale
from storage.greetings import Greeting, GreetingChoice, GreetingKind, MailboxSetting
from storage.identifiers import new_id
from storage.sealed import primitives
from tests.support.stores import Stores
from tests.support.voicemail import BOX

OTHER = UUID(int=78)


def a_greeting(stores: Stores, kind: GreetingKind = GreetingKind.PERSONAL) -> Greeting:
    return Greeting(
        new_id(stores.clock), BOX, kind, primitives.random(16), "pcmu", 900, 1,
        primitives.random(32), stores.clock(),
    )  # fmt: skip


async def test_a_new_greeting_takes_the_place_of_the_one_before(stores: Stores) -> None:
    first, second = a_greeting(stores), a_greeting(stores)

    assert await stores.do(greetings.put, first) is None
    assert await stores.do(greetings.put, second) == first

    assert await stores.ask(greetings.find, BOX, GreetingKind.PERSONAL) == second
    assert await stores.ask(greetings.all_) == [second]
    assert await stores.actions() == ["greeting.changed"] * 2


async def test_only_what_was_recorded_can_be_chosen(stores: Stores) -> None:
    with pytest.raises(NotFound):
        await stores.do(greetings.choose, BOX, GreetingChoice.NAME)
    await stores.do(greetings.put, a_greeting(stores, GreetingKind.NAME))

    await stores.do(greetings.choose, BOX, GreetingChoice.NAME)

    assert (await stores.ask(greetings.setting_of, BOX)).greeting is GreetingChoice.NAME
    assert await stores.ask(greetings.setting_of, OTHER) == MailboxSetting()
    await stores.do(greetings.choose, BOX, GreetingChoice.STANDARD)
    assert (await stores.ask(greetings.setting_of, BOX)).greeting is GreetingChoice.STANDARD


async def test_retention_of_one_mailbox_is_set_by_version(stores: Stores) -> None:
    await stores.do(greetings.keep_for, BOX, 0, 30)
    with pytest.raises(Stale):
        await stores.do(greetings.keep_for, BOX, 0, 60)

    assert await stores.ask(greetings.settings_of_all) == {
        BOX: MailboxSetting(GreetingChoice.STANDARD, 30, 1)
    }
    row = (await stores.rows())[-1]
    assert (row.action, '"retention_days":30' in row.after) == ("mailbox.set", True)


async def test_greetings_end_with_the_tenure(stores: Stores) -> None:
    made = a_greeting(stores)
    await stores.do(greetings.put, made)

    assert await stores.do(greetings.end_of, BOX) == [made]
    assert await stores.do(greetings.end_of, BOX) == []

    assert await stores.ask(greetings.all_) == []
    assert await stores.actions() == ["greeting.changed"] * 2
