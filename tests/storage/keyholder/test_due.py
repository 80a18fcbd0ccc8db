"""storage/keyholder/due.py"""

from uuid import UUID, uuid4

from storage.keyholder import acts, protocol
from storage.keyholder.acts import Role
from storage.keyholder.clock import DAY, SECOND
from storage.keyholder.due import (
    endings_of_break_glass,
    endings_of_mailboxes,
    endings_of_people,
)
from storage.keyholder.journal import Event, parse_record
from storage.keyholder.protocol import (
    AbandonTenure,
    Done,
    Ending,
    KeyList,
    ListSessions,
    PublicKeys,
    Ran,
    Refusal,
    RunDue,
    SessionList,
)
from storage.keyholder.records import Mailbox, Member, MessageSecret, Person, Standing
from storage.keyholder.store import Change
from tests.support.keyholder import House, evidence

NOW = 100 * DAY
ANN, BEN = UUID(int=1), UUID(int=2)


def person(
    standing: Standing = Standing.ACTIVE, *, until: int | None = None, seen: int = NOW
) -> Person:
    return Person(ANN, "ann", standing, 0, until, last_seen=seen)


def acts_of(one: Person) -> list[str]:
    return [ending.act for ending in endings_of_people([one], NOW, 35)]


def test_people_end_by_their_date_and_by_disuse() -> None:
    assert acts_of(person(until=NOW)) == ["leave"]
    assert acts_of(person(Standing.SUSPENDED, until=NOW)) == ["leave"]
    assert acts_of(person(until=NOW + 1)) == []
    assert acts_of(person(Standing.LEFT, until=NOW)) == []
    assert acts_of(person(seen=NOW - 35 * DAY)) == ["suspend"]
    assert acts_of(person(seen=NOW - 35 * DAY + 1)) == []
    assert acts_of(person(Standing.INVITED, seen=0)) == ["suspend"]
    assert acts_of(person(Standing.SUSPENDED, seen=0)) == []
    assert acts_of(person(until=NOW, seen=0)) == ["leave"]


def test_mailboxes_end_by_their_date() -> None:
    box = Mailbox(BEN, BEN, ANN, 0, until=NOW)
    others = [Mailbox(BEN, BEN, ANN, 0), Mailbox(BEN, BEN, ANN, 0, until=NOW + 1)]
    others.append(Mailbox(BEN, BEN, ANN, 0, closed=5, until=NOW))

    assert endings_of_mailboxes([box, *others], NOW) == [Ending("close-tenure", BEN, "end date")]


async def test_what_is_due_ends_and_whose_absence_would_lock_all_out_stays(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    locum, box = uuid4(), uuid4()
    until = house.core.clock() + DAY
    await house.done(admin, acts.AddPerson(locum, "locum", until=until))
    await house.done(admin, acts.OpenTenure(box, uuid4(), manager.id, until=until))
    tied = evidence()
    assert (await house.ask(RunDue(tied), Ran)).ended == ()
    await house.log_in(doctor)
    house.time.pass_(36 * 86_400)

    ended = (await house.ask(RunDue(tied), Ran)).ended

    assert set(ended) == {
        Ending("leave", locum, "end date"),
        Ending("suspend", doctor.id, "unused"),
        Ending("close-tenure", box, "end date"),
    }
    assert (await house.ask(ListSessions(doctor.id), SessionList)).sessions == ()
    page = await house.ask(protocol.ReadJournal(1), protocol.JournalPage)
    entries = [parse_record(record)[0] for record in page.entries][-3:]
    assert {(e.event, e.act, e.subject, e.operation) for e in entries} == {
        (Event.CHANGED, ending.act, ending.subject, tied.operation) for ending in ended
    }
    assert (await house.ask(RunDue(tied), Ran)).ended == ()
    for missed in (admin, manager):
        assert isinstance(await house.log_in(missed), protocol.Opened)


async def test_of_three_who_could_approve_one_ends_by_disuse(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    await house.enrolled("other", Role.PRACTICE_MANAGER, admin, manager)
    house.time.pass_(36 * 86_400)

    ended = (await house.ask(RunDue(evidence()), Ran)).ended

    assert [(one.act, one.reason) for one in ended] == [("suspend", "unused")]
    assert ended[0].subject != admin.id


async def test_a_mailbox_is_abandoned_by_the_operation_that_has_just_opened_it(
    house: House,
) -> None:
    admin = await house.administrator()

    async def opened(operation: protocol.Evidence) -> UUID:
        box = uuid4()
        await house.step_up(admin, acts.OpenTenure(box, uuid4(), admin.id), tied=operation)
        return box

    tied = evidence()
    box = await opened(tied)
    for wrong in (AbandonTenure(box, evidence()), AbandonTenure(uuid4(), tied)):
        assert await house.holder.answer(wrong) == Refusal()
    await house.ask(AbandonTenure(box, tied), Done)
    found = house.core.store.get(Mailbox, box)
    assert found is not None
    assert found.closed is not None

    used, adopted, late = evidence(), evidence(), evidence()
    sealed_to = await opened(used)
    await house.ask(PublicKeys("deposit", sealed_to), KeyList)
    assert await house.holder.answer(AbandonTenure(sealed_to, used)) == Refusal()
    filled = await opened(adopted)
    store, row = house.core.store, MessageSecret(uuid4(), filled, bytearray(32), 0)
    store.commit(Change(put=[row]), store.state.position, 0)
    assert await house.holder.answer(AbandonTenure(filled, adopted)) == Refusal()
    forgotten = await opened(late)
    house.time.pass_(900 + 1 / SECOND)
    assert await house.holder.answer(AbandonTenure(forgotten, late)) == Refusal()


def test_break_glass_ends_by_its_time_and_a_membership_without_end_does_not() -> None:
    members = (
        Member(ANN, 0, NOW, "break-glass"),
        Member(BEN, 0, NOW + 1, "break-glass"),
        Member(BEN, 0, None, "member"),
    )
    box = Mailbox(BEN, BEN, ANN, 0, members=members)

    assert endings_of_break_glass([box], NOW) == [Ending("end-break-glass", BEN, "end date", ANN)]


async def test_what_two_people_opened_is_closed_and_journalled(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    nurse = await house.enrolled("nurse", Role.CLINICAL_STAFF, admin, manager)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    other = acts.OpenTenure(uuid4(), uuid4(), doctor.id)
    await house.done(admin, other)
    officer = await house.enrolled("officer", Role.COMPLIANCE_OFFICER, admin, manager)
    glass = acts.BreakGlass(other.mailbox, "cannot wait")
    answer, _ = await house.two_people(nurse, officer, glass)
    assert isinstance(answer, Done)
    house.time.pass_(1_800)

    ended = (await house.ask(RunDue(evidence()), Ran)).ended

    assert ended == (Ending("end-break-glass", other.mailbox, "end date", nurse.id),)
    found = house.core.store.get(Mailbox, other.mailbox)
    assert found is not None
    assert found.members == ()
