"""What is written of registrations: first and last as rows, the place now and then."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from pbx.location import Binding, Bound, Cause, Unbound
from pbx.registrations import LIMITS, SEEN_EVERY, RegistrationJournal
from pbx.sip.flows import FlowId
from storage.identifiers import new_id
from storage.phones import Phones, Presence
from tests.support.stores import Stores


@dataclass
class Desk:
    """A journal over real stores, and one phone known to them."""

    stores: Stores
    journal: RegistrationJournal
    phones: Phones
    device: UUID
    writing: asyncio.Task[None]

    def bound(
        self, *, first: bool = False, source: str = "192.0.2.1", program: str = "Phone 1"
    ) -> None:
        binding = Binding(
            device=str(self.device), node="exchange", flow=FlowId(1), uri="sip:x@192.0.2.1",
            call_id="c", cseq=1, expires_at=60.0, since=0.0, seen=0.0, source=source,
            user_agent=program,
        )  # fmt: skip
        self.journal.changed(Bound(binding, first, first), 60.0)
        self.binding = binding

    async def written(self) -> Presence | None:
        """Everything that waits is written, then looked at."""
        self.journal.close()
        await self.writing
        self.journal = RegistrationJournal(self.stores.committer, self.phones, self.stores.clock)
        return await self.stores.ask(self.phones.presence, self.device)


@pytest.fixture
async def desk(stores: Stores) -> AsyncIterator[Desk]:
    phones = Phones(stores.fields)
    device = new_id(stores.clock)
    await stores.do(stores.devices.add, device, "front door")
    await stores.do(phones.enrol, device, "p123456789")
    journal = RegistrationJournal(stores.committer, phones, stores.clock)
    yield Desk(stores, journal, phones, device, asyncio.create_task(journal.run()))


async def test_the_first_registration_is_two_rows_and_a_place(desk: Desk) -> None:
    desk.bound(first=True)

    seen = await desk.written()

    assert seen is not None
    assert (seen.source, seen.user_agent) == ("192.0.2.1", "Phone 1")
    assert seen.registered_until == desk.stores.clock() + 60_000_000
    assert {"registration.started", "device.first_seen"} < set(await desk.stores.actions())


async def test_a_refresh_from_the_same_place_is_written_after_a_few_minutes_only(
    desk: Desk,
) -> None:
    began = desk.stores.clock()
    desk.bound(first=True)
    desk.stores.clock.now += SEEN_EVERY - 1
    desk.bound()

    seen = await desk.written()

    assert seen is not None
    assert seen.seen_at == began


async def test_a_phone_that_moved_is_written_at_once(desk: Desk) -> None:
    desk.bound(first=True)
    desk.stores.clock.now += 1
    desk.bound(source="192.0.2.99")

    seen = await desk.written()

    assert seen is not None
    assert seen.source == "192.0.2.99"
    assert (await desk.stores.actions()).count("device.first_seen") == 1


async def test_the_end_of_the_last_binding_is_a_row_with_its_cause(desk: Desk) -> None:
    desk.bound(first=True)
    desk.journal.changed(Unbound(desk.binding, Cause.FLOW_LOST, True), 0.0)

    await desk.written()

    row = next(r for r in await desk.stores.rows() if r.action == "registration.ended")
    assert row.after == '{"cause":"flow lost"}'


async def test_a_phone_that_comes_and_goes_without_end_is_a_few_rows_and_a_number(
    desk: Desk,
) -> None:
    for _ in range(500):
        desk.bound(first=True)
        desk.journal.changed(Unbound(desk.binding, Cause.UNREGISTERED, True), 0.0)

    await desk.written()

    rows = [r for r in await desk.stores.rows() if r.action.startswith("registration.")]
    ends = [json.loads(r.after) for r in rows if r.action == "registration.ended"]
    assert len(rows) == 2 * (LIMITS.alone + 1)
    assert [end.get("count", 1) for end in ends] == [1] * LIMITS.alone + [500 - LIMITS.alone]


async def test_a_phone_that_was_removed_meanwhile_is_not_kept(desk: Desk) -> None:
    await desk.stores.do(desk.phones.remove, desk.device)
    desk.bound(first=True)

    assert await desk.written() is None


async def test_a_known_phone_is_updated_and_a_new_one_added_in_one_go(desk: Desk) -> None:
    desk.bound(first=True)
    await desk.written()
    other = new_id(desk.stores.clock)
    await desk.stores.do(desk.stores.devices.add, other, "back door")
    await desk.stores.do(desk.phones.enrol, other, "p987654321")

    def presence(device: UUID) -> Presence:
        return Presence(
            device=device, first_seen_at=5, seen_at=7, registered_until=9, source="192.0.2.7",
            user_agent="Phone 2",
        )  # fmt: skip

    async def see(unit: object, deed: object) -> list[Presence]:
        return await desk.phones.see(unit.connection, [presence(desk.device), presence(other)])  # type: ignore[attr-defined]

    first = await desk.stores.do(see)

    assert [presence.device for presence in first] == [other]
    for device in (desk.device, other):
        kept = await desk.stores.ask(desk.phones.presence, device)
        assert (kept.seen_at, kept.source) == (7, "192.0.2.7")


async def test_how_a_phone_describes_its_media_is_kept_without_a_row(desk: Desk) -> None:
    desk.journal.described(desk.device, "sdes ice")
    desk.journal.described(desk.device, "dtls mux")
    desk.journal.described(new_id(desk.stores.clock), "dtls")  # one that is in no database

    assert await desk.written() is None

    identity = await desk.stores.ask(desk.phones.identity, desk.device)
    assert identity.manner == "dtls mux"
    assert identity.version == 1


async def test_a_phone_that_comes_from_elsewhere_for_a_moment_is_a_row(desk: Desk) -> None:
    desk.bound(first=True)
    await desk.written()
    desk.writing = asyncio.create_task(desk.journal.run())
    desk.bound(source="198.51.100.7")
    desk.bound(program="Other 2")
    desk.bound()

    await desk.written()

    found = [row for row in await desk.stores.rows() if row.action == "registration.moved"]
    assert [row.after for row in found] == [
        '{"address":true,"program":false}', '{"address":false,"program":true}',
    ]  # fmt: skip
