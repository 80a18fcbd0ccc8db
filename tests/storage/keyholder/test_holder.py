"""storage/keyholder/holder.py"""

import sqlite3
from uuid import uuid4

import pytest

from storage.keyholder import acts, journal, protocol
from storage.keyholder.acts import Role
from storage.keyholder.journal import Event
from storage.keyholder.keystores.file import FileKeyStore
from storage.keyholder.protocol import (
    Done,
    EndSession,
    EndSessions,
    ListMailboxes,
    ListPeople,
    ListSessions,
    MailboxList,
    Origin,
    PersonList,
    Ping,
    Pong,
    Proof,
    ReadJournal,
    Refusal,
    SessionList,
    SessionState,
    Shut,
    State,
    Touch,
)
from storage.keyholder.records import KeyRow, Person
from storage.keyholder.store import Change
from storage.keyholder.surroundings import Surroundings
from tests.support.full_store import full
from tests.support.keyholder import House, evidence


async def last(house: House) -> journal.Entry:
    page = await house.ask(ReadJournal(1), protocol.JournalPage)
    return journal.parse_record(page.entries[-1])[0]


async def test_a_session_is_touched_listed_and_ended(house: House) -> None:
    admin = await house.administrator()
    await house.log_in(admin)

    state = await house.ask(Touch(admin.session), SessionState)
    listed = await house.ask(ListSessions(admin.id), SessionList)
    assert state.roles == (Role.SYSTEM_ADMINISTRATOR,)
    assert state.view in listed.sessions
    await house.ask(EndSession(admin.session), Done)

    assert (await last(house)).event is Event.SESSION_ENDED
    assert await house.holder.answer(EndSession(admin.session)) == Refusal()
    assert await house.holder.answer(Touch(admin.session)) == Refusal()
    assert (await last(house)).event is Event.SESSION_ENDED, "an old handle is no refusal"


async def test_sessions_end_without_a_proof_and_nothing_else_does(house: House) -> None:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    mailbox = uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), manager.id))
    origin = Origin("command-line", "uid 0")

    await house.ask(EndSessions(admin.id, None, evidence()), Done)
    for act in (acts.Leave(manager.id), acts.Suspend(manager.id), acts.CloseTenure(mailbox)):
        for session in (b"", manager.session, admin.session):
            request = protocol.Perform(act, Proof(b"forged" * 300, origin, session), evidence())
            assert await house.holder.answer(request) == Refusal()
    assert (await house.ask(protocol.RunDue(evidence()), protocol.Ran)).ended == ()
    assert await house.holder.answer(protocol.AbandonTenure(mailbox, evidence())) == Refusal()
    assert (await last(house)).act == "abandon-tenure"

    assert admin.id not in {
        view.person for view in (await house.ask(ListSessions(), SessionList)).sessions
    }
    people = (await house.ask(ListPeople(), PersonList)).people
    assert {person.login: person.state for person in people}["manager"] == "active"
    boxes = (await house.ask(ListMailboxes(), MailboxList)).mailboxes
    assert boxes[0].closed is None
    await house.log_in(admin)
    await house.done(admin, acts.Leave(manager.id))
    people = (await house.ask(ListPeople(), PersonList)).people
    assert {person.login: person.state for person in people}["manager"] == "left"


async def test_an_operation_stands_for_one_act(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A close that is told a second time, after the mailbox was opened again, closes nothing."""
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    mailbox, tied = uuid4(), evidence()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), manager.id))

    closed, _ = await house.step_up(admin, acts.CloseTenure(mailbox), tied=tied)
    assert isinstance(closed, Done)
    again, _ = await house.two_people(admin, manager, acts.ReopenTenure(mailbox))
    assert isinstance(again, Done)
    replayed, _ = await house.step_up(admin, acts.CloseTenure(mailbox), tied=tied)

    assert replayed == Refusal()
    assert (await last(house)).reason == "the operation is not new"
    boxes = (await house.ask(ListMailboxes(), MailboxList)).mailboxes
    assert boxes[0].closed is None
    monkeypatch.setattr("storage.keyholder.holder.MOST_OPERATIONS", 1)
    await house.done(admin, acts.CloseTenure(mailbox))


@pytest.mark.parametrize("sealed", [b"", b"noise" * 500])
async def test_what_is_no_proof_is_refused_and_journalled(house: House, sealed: bytes) -> None:
    tied = evidence()
    request = protocol.Perform(acts.Rotate(), Proof(sealed, Origin("d", "s")), tied)

    assert await house.holder.answer(request) == Refusal()

    entry = await last(house)
    assert (entry.event, entry.act, entry.operation) == (Event.REFUSED, "rotate", tied.operation)


async def test_a_proof_of_one_session_is_refused_with_another(house: House) -> None:
    from storage.keyholder.proofs import seal_proof

    admin = await house.administrator()
    challenge = await house.ask(protocol.AskChallenge(), protocol.Challenge)
    assert house.pin is not None
    sealed, _ = seal_proof(
        house.pin.signing_key,
        challenge,
        acts.Rotate(),
        protocol.Protected(),
        now=house.core.clock(),
        session=b"mine",
    )
    proof = Proof(sealed, Origin("d", "s"), admin.session)

    answer = await house.holder.answer(protocol.Perform(acts.Rotate(), proof, evidence()))

    assert answer == Refusal()
    assert (await last(house)).reason == "the proof is for another session"


async def test_without_a_proof_key_nothing_is_performed(house: House) -> None:
    store = house.core.store
    keys = [(KeyRow, row.id) for row in store.all(KeyRow)]
    store.commit(Change(delete=keys), store.state.position, 0)
    house.reopen()
    request = protocol.Perform(acts.Rotate(), Proof(b"", Origin("d", "s")), evidence())

    assert await house.holder.answer(request) == Refusal()


async def test_a_disk_that_refuses_shuts_what_has_to_be_journalled(house: House) -> None:
    admin = await house.administrator()
    shut = Shut(State.FULL)
    with full(house.directory / "store"):
        assert await house.holder.answer(EndSession(admin.session)) == shut
        code = house.code(admin)
        answer, _ = await house.perform(acts.Rotate(), session=admin.session, totp=code)
        assert answer == shut
        assert await house.ask(Ping(), Pong)
    assert isinstance(await house.log_in(admin), protocol.Opened)


async def test_a_store_altered_while_in_use_is_an_alarm(house: House) -> None:
    admin = await house.administrator()
    with sqlite3.connect(house.directory / "store") as connection:
        connection.execute("UPDATE rows SET body = zeroblob(80) WHERE kind = 'person'")

    assert await house.holder.answer(Touch(admin.session)) == Shut(State.ALARMED)

    report = house.holder.report(Surroundings(True, True, True))
    assert "altered while in use" in report.alarms[0]
    assert (report.same_device, report.same_account, report.root_beside) == (True,) * 3
    assert report.keystore == "key-file"
    assert isinstance(house.keystore, FileKeyStore)


async def test_what_is_known_about_people_holds_no_secret(house: House) -> None:
    admin = await house.administrator()
    import msgspec

    people = await house.ask(ListPeople(), PersonList)
    encoded = msgspec.msgpack.encode(people)

    row = house.core.store.get(Person, admin.id)
    assert row is not None
    assert row.factors is not None
    for secret in (row.factors.totp, row.factors.password.hash, row.factors.recovery[0]):
        assert secret not in encoded


async def test_a_weak_secret_is_told_by_its_rule(house: House) -> None:
    answer, _ = await house.perform(acts.Bootstrap(uuid4(), "root"), password="short")

    assert answer == protocol.Invalid("password: 12 to 256 characters")


async def test_a_proof_counts_once_and_for_its_act_alone(house: House) -> None:
    from storage.keyholder.proofs import seal_proof

    assert house.pin is not None
    reasons = []
    for asked, done in ((acts.Rotate(), acts.SetPin()), (acts.Rotate(), acts.Rotate())):
        challenge = await house.ask(protocol.AskChallenge(), protocol.Challenge)
        sealed, _ = seal_proof(
            house.pin.signing_key, challenge, asked, protocol.Protected(), now=house.core.clock()
        )
        request = protocol.Perform(done, Proof(sealed, Origin("d", "s")), evidence())
        for _ in range(2):
            assert await house.holder.answer(request) == Refusal()
            reasons.append((await last(house)).reason)

    assert reasons == [
        "the proof is for another act",
        "the challenge is not open",
        "no such session",
        "the challenge is not open",
    ]


async def test_proposals_that_wait_are_listed(house: House) -> None:
    admin = await house.administrator()
    await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    person = acts.AddPerson(uuid4(), "new")
    await house.done(admin, person)
    grant = acts.GrantRole(uuid4(), person.person, Role.HELP_DESK, 0)
    await house.step_up(admin, grant)

    found = await house.ask(protocol.ListProposals(), protocol.ProposalList)

    assert [(p.act, p.requester) for p in found.proposals] == [(grant, admin.id)]
