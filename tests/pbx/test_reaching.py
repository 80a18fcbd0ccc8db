"""What was dialled is written down as the phone's doing, and heard of at once."""

from pbx.reaching import ReachByPhone
from storage.identifiers import new_id
from storage.reach import Change, Reach
from storage.tenures import NewTenure
from tests.support.stores import Stores


async def test_the_phone_is_the_actor(stores: Stores) -> None:
    anna, extension, phone = await stores.hire("anna"), new_id(stores.clock), new_id(stores.clock)
    await stores.do(stores.extensions.add, extension, "1001")
    tenure, mailbox = new_id(stores.clock), new_id(stores.clock)
    new = NewTenure(id=tenure, extension=extension, person=anna, mailbox=mailbox)
    await stores.do(stores.extensions.assign, new, 1)
    refreshed: list[bool] = []

    async def refresh() -> None:
        refreshed.append(True)

    save = ReachByPhone(stores.committer, stores.fields, stores.clock, refresh)
    await save(phone, anna, Change(when=None, is_on=True))

    row = (await stores.rows())[-1]
    assert (row.action, row.actor_kind, row.actor_id) == ("reach.changed", "device", phone)
    assert refreshed == [True]
    assert await stores.do(stores.reaches.of, anna) == {extension: Reach(do_not_disturb=True)}
