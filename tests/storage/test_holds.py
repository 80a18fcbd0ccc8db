"""Legal holds: a reason sealed, in force until released."""

import pytest

from storage.conflicts import NotFound, WrongState
from storage.holds import Holds, held_mailboxes
from storage.identifiers import new_id
from tests.support.stores import Stores
from tests.support.voicemail import BOX


async def test_a_hold_is_in_force_until_it_is_released(stores: Stores) -> None:
    holds, hold, by = Holds(stores.fields), new_id(stores.clock), new_id(stores.clock)
    await stores.do(holds.place, hold, BOX, "a letter of a lawyer", by)

    assert await stores.ask(held_mailboxes) == {BOX}
    [found] = await stores.do(holds.listed)
    assert (found.reason, found.placed_by, found.mailbox) == ("a letter of a lawyer", by, BOX)
    assert "lawyer" not in str(await stores.rows())

    await stores.do(holds.release, hold)

    assert await stores.ask(held_mailboxes) == frozenset()
    assert (await stores.ask(holds.find, hold)).released_at == stores.clock()
    assert await stores.actions() == ["hold.placed", "hold.listed", "hold.released"]
    with pytest.raises(WrongState):
        await stores.do(holds.release, hold)
    with pytest.raises(NotFound):
        await stores.do(holds.release, new_id(stores.clock))
