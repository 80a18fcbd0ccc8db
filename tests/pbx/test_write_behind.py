"""Sightings reach the store, in their own time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pbx.location import Binding, Bound, Cause, Unbound
from pbx.sip.flows import FlowId
from pbx.write_behind import Sighting, WriteBehind


class Store:
    def __init__(self) -> None:
        self.rows: dict[str, Sighting] = {}
        self.is_away = False
        self.meanwhile: list[object] = []

    async def save(self, sightings: Sequence[Sighting]) -> None:
        for act in self.meanwhile:
            act()  # type: ignore[operator]
        if self.is_away:
            raise ConnectionError
        self.rows.update({sighting.device: sighting for sighting in sightings})


def binding(device: str = "d1", agent: str = "Phone/1") -> Binding:
    return Binding(
        device=device, node="n", flow=FlowId(1), uri="sip:a@b", call_id="c", cseq=1,
        expires_at=1.0, since=0.0, seen=0.0, source="192.0.2.1", user_agent=agent,
    )  # fmt: skip


def bound(device: str = "d1", agent: str = "Phone/1") -> Bound:
    return Bound(binding(device, agent), True, True)


async def test_the_latest_of_each_device_is_written_once():
    store = Store()
    behind = WriteBehind(store)
    behind.note([bound(), bound("d2")], 10)
    behind.note([bound(agent="Phone/2")], 20)
    assert (len(behind), await behind.flush(), await behind.flush()) == (2, 2, 0)
    assert store.rows["d1"] == Sighting("d1", "n", "192.0.2.1", "Phone/2", 20, True)


async def test_the_end_of_the_last_binding_says_why():
    store = Store()
    behind = WriteBehind(store)
    behind.note([Unbound(binding(), Cause.EXPIRED, False)], 10)
    await behind.flush()
    assert (store.rows["d1"].is_registered, store.rows["d1"].cause) == (True, None)
    behind.note([Unbound(binding(), Cause.FLOW_LOST, True)], 20)
    await behind.flush()
    assert (store.rows["d1"].is_registered, store.rows["d1"].cause) == (False, "flow lost")


async def test_a_store_that_is_away_gets_it_later_and_newer_news_win():
    store = Store()
    behind = WriteBehind(store)
    behind.note([bound(agent="old"), bound("d2")], 10)
    store.is_away = True
    store.meanwhile = [lambda: behind.note([bound(agent="new")], 20)]
    with pytest.raises(ConnectionError):
        await behind.flush()
    assert len(behind) == 2
    store.is_away, store.meanwhile = False, []
    assert await behind.flush() == 2
    assert store.rows["d1"].user_agent == "new"


async def test_batches_are_bounded():
    store = Store()
    behind = WriteBehind(store)
    behind.note([bound(f"d{n}") for n in range(7)], 10)
    assert [await behind.flush(3) for _ in range(4)] == [3, 3, 1, 0]
