"""History is the ledger's rows about one object, and reading it is itself recorded."""

import pytest

from storage import history
from storage.conflicts import NotFound
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from tests.support.stores import Stores


async def test_what_happened_to_an_object_is_told_in_order(stores: Stores) -> None:
    anna = await stores.hire("anna")
    await stores.hire("ben")
    await stores.do(stores.people.suspend, anna, "asked")

    changes = await stores.do(history.of, Subject("person", anna))

    assert [change.action for change in changes] == ["person.added", "person.suspended"]
    assert changes[1].before == {"state": "active"}
    assert changes[1].after == {"reason": "asked", "state": "suspended"}
    assert (await stores.actions())[-1] == "history.read"


async def test_the_last_accomplished_change_is_found(stores: Stores) -> None:
    anna = await stores.hire("anna")
    await stores.do(stores.people.suspend, anna, "asked")
    subject = Subject("person", anna)

    found = await stores.ask(history.last_of, subject, frozenset({Action.PERSON_ADDED}))

    assert found.action == "person.added"
    with pytest.raises(NotFound):
        await stores.ask(history.last_of, subject, frozenset({Action.DEVICE_ADDED}))
