"""storage/keyholder/administering.py"""

from dataclasses import dataclass
from uuid import uuid4

import msgspec
import pytest

from storage.keyholder import acts, journal, protocol
from storage.keyholder.acts import Role
from storage.keyholder.protocol import Done, Refusal, Waiting
from tests.support.keyholder import House, Someone


@dataclass
class Clinic:
    admin: Someone
    manager: Someone
    doctor: Someone


@pytest.fixture
async def clinic(house: House) -> Clinic:
    admin = await house.administrator()
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    doctor = await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)
    return Clinic(admin, manager, doctor)


async def people(house: House) -> dict[str, protocol.PersonView]:
    found = await house.ask(protocol.ListPeople(), protocol.PersonList)
    return {person.login: person for person in found.people}


async def last_entry(house: House) -> journal.Entry:
    page = await house.ask(protocol.ReadJournal(1), protocol.JournalPage)
    return journal.parse_record(page.entries[-1])[0]


async def test_an_act_of_one_person_is_carried_out_and_journalled(
    house: House, clinic: Clinic
) -> None:
    done = await house.done(clinic.admin, acts.Suspend(clinic.doctor.id))

    assert (done.person, done.second, done.sole) == (clinic.admin.id, None, False)
    assert (await people(house))["doctor"].state == "suspended"
    entry = await last_entry(house)
    assert (entry.act, entry.person, entry.subject) == (
        "suspend",
        clinic.admin.id,
        clinic.doctor.id,
    )
    assert await house.holder.answer(protocol.Touch(clinic.doctor.session)) == Refusal()


async def test_who_may_not_is_refused_and_nothing_changes(house: House, clinic: Clinic) -> None:
    before = await people(house)

    answer, _ = await house.step_up(clinic.doctor, acts.Suspend(clinic.manager.id))

    assert answer == Refusal()
    assert (await people(house))["manager"].state == before["manager"].state
    assert (await last_entry(house)).reason == "not entitled"


async def test_the_code_of_a_refused_act_is_used_up(house: House, clinic: Clinic) -> None:
    code = house.code(clinic.doctor)
    for _ in range(2):
        answer, _ = await house.perform(
            acts.Suspend(clinic.manager.id), session=clinic.doctor.session, totp=code
        )
        assert answer == Refusal()
    assert (await last_entry(house)).reason == "wrong secret"


async def test_presence_is_proved_for_every_act(house: House, clinic: Clinic) -> None:
    act = acts.Suspend(clinic.doctor.id)

    answer, _ = await house.perform(act, session=clinic.admin.session, totp="000000")
    without, _ = await house.perform(act, totp=house.code(clinic.admin))

    assert answer == without == Refusal()
    assert (await people(house))["doctor"].state == "active"


async def test_two_people_grant_a_role_and_one_does_not(house: House, clinic: Clinic) -> None:
    grant = acts.GrantRole(uuid4(), clinic.doctor.id, Role.CLINICAL_STAFF, house.core.clock())

    waiting, _ = await house.step_up(clinic.admin, grant)
    assert isinstance(waiting, Waiting)
    approval = acts.Approve(waiting.proposal, waiting.digest)
    own, _ = await house.step_up(clinic.admin, approval)
    subject, _ = await house.step_up(clinic.doctor, approval)
    changed, _ = await house.step_up(clinic.manager, acts.Approve(waiting.proposal, b"\0" * 32))
    assert own == subject == changed == Refusal()
    assert len((await people(house))["doctor"].grants) == 1
    waiting_list = await house.ask(protocol.ListProposals(), protocol.ProposalList)
    assert [p.act for p in waiting_list.proposals] == [grant]

    done, _ = await house.step_up(clinic.manager, approval)

    assert isinstance(done, Done)
    assert (done.person, done.second) == (clinic.admin.id, clinic.manager.id)
    granted = (await people(house))["doctor"].grants[1]
    assert (granted.requester, granted.approver, granted.sole) == (
        clinic.admin.id,
        clinic.manager.id,
        False,
    )
    again, _ = await house.step_up(clinic.manager, approval)
    assert again == Refusal()


async def test_a_proposal_can_be_declined_and_lapses_after_a_day(
    house: House, clinic: Clinic
) -> None:
    grant = acts.GrantRole(uuid4(), clinic.doctor.id, Role.BILLING, 0)
    first, _ = await house.step_up(clinic.admin, grant)
    assert isinstance(first, Waiting)
    declined = await house.done(clinic.manager, acts.Decline(first.proposal, first.digest))
    assert declined.second == clinic.admin.id
    second, _ = await house.step_up(clinic.admin, grant)
    assert isinstance(second, Waiting)

    house.time.pass_(86_400)
    for someone in (clinic.admin, clinic.manager):
        await house.log_in(someone)
    late, _ = await house.step_up(clinic.manager, acts.Approve(second.proposal, second.digest))
    assert late == Refusal()
    assert not (await house.ask(protocol.ListProposals(), protocol.ProposalList)).proposals

    third, _ = await house.step_up(clinic.admin, grant)
    assert isinstance(third, Waiting)
    assert house.core.store.state.rows == house.core.store.state.rows
    found = await house.ask(protocol.ListProposals(), protocol.ProposalList)
    assert [p.id for p in found.proposals] == [third.proposal]


async def test_a_requester_who_is_not_entitled_any_more_spoils_the_proposal(
    house: House, clinic: Clinic
) -> None:
    grant = acts.GrantRole(uuid4(), clinic.doctor.id, Role.BILLING, 0)
    waiting, _ = await house.step_up(clinic.manager, grant)
    assert isinstance(waiting, Waiting)
    await house.done(clinic.admin, acts.Suspend(clinic.manager.id))

    answer, _ = await house.step_up(clinic.admin, acts.Approve(waiting.proposal, waiting.digest))

    assert answer == Refusal()


async def test_alone_one_may_begin_but_never_with_protected_content(house: House) -> None:
    admin = await house.administrator()
    someone = Someone(uuid4(), "doctor")
    await house.done(admin, acts.AddPerson(someone.id, "doctor"))
    help_desk = acts.GrantRole(uuid4(), someone.id, Role.HELP_DESK, 0)

    alone = await house.done(admin, help_desk)
    protected, _ = await house.step_up(
        admin, acts.GrantRole(uuid4(), someone.id, Role.PHYSICIAN, 0)
    )

    assert alone.sole
    assert isinstance(protected, Waiting)
    grant = (await people(house))["doctor"].grants[0]
    assert (grant.approver, grant.sole) == (None, True)


async def test_once_there_was_a_second_person_nobody_acts_alone_again(
    house: House, clinic: Clinic
) -> None:
    await house.done(clinic.admin, acts.Suspend(clinic.manager.id))

    answer, _ = await house.step_up(clinic.admin, acts.IssueEnrolment(clinic.doctor.id))

    assert isinstance(answer, Waiting)


async def test_one_administrator_with_every_command_opens_no_mailbox(
    house: House, clinic: Clinic
) -> None:
    admin, mailbox = clinic.admin, uuid4()
    await house.done(admin, acts.OpenTenure(mailbox, uuid4(), clinic.doctor.id))
    now = house.core.clock()
    tries: list[acts.AnyAct] = [
        acts.IssueEnrolment(clinic.doctor.id),
        acts.AddMember(mailbox, admin.id, now),
        acts.GrantRole(uuid4(), admin.id, Role.PHYSICIAN, now),
        acts.BreakGlass(mailbox, "cannot wait"),
        acts.Reinstate(clinic.doctor.id),
        acts.SetRecovery(2, (admin.id, admin.id)),
        acts.SetPin(),
    ]
    for act in tries:
        answer, _ = await house.step_up(
            admin, act, recovery_passphrase="a long passphrase of one", new_pin="739460"
        )
        if isinstance(answer, Waiting):
            approval = acts.Approve(answer.proposal, answer.digest)
            approved, _ = await house.step_up(admin, approval)
            assert approved == Refusal()
    boxes = await house.ask(protocol.ListMailboxes(), protocol.MailboxList)
    assert boxes.mailboxes[0].members == ()
    assert [g.role for g in (await people(house))["root"].grants] == [Role.SYSTEM_ADMINISTRATOR]


async def test_a_forged_act_or_a_replayed_proof_is_refused(house: House, clinic: Clinic) -> None:
    """What a lying exchange could try with the proof of an administrator who is present."""
    from storage.keyholder.proofs import seal_proof
    from tests.support.keyholder import evidence, text

    challenge = await house.ask(protocol.AskChallenge(), protocol.Challenge)
    asked = acts.Suspend(clinic.doctor.id)
    assert house.pin is not None
    sealed, _ = seal_proof(
        house.pin.signing_key,
        challenge,
        asked,
        protocol.Protected(totp=text(house.code(clinic.admin))),
        now=house.core.clock(),
        session=clinic.admin.session,
    )
    origin = protocol.Origin("terminal", "local")
    proof = protocol.Proof(sealed, origin, clinic.admin.session)
    good = protocol.Perform(asked, proof, evidence())
    forged = msgspec.structs.replace(good, act=acts.Leave(clinic.doctor.id))

    assert await house.holder.answer(forged) == Refusal()
    assert await house.holder.answer(good) == Refusal()  # the challenge is used up
    assert (await people(house))["doctor"].state == "active"
    await house.done(clinic.admin, asked)


async def test_a_phone_session_administers_nothing(house: House, clinic: Clinic) -> None:
    await house.done(clinic.admin, acts.SetPin(), new_pin="739460")
    opened, _ = await house.perform(acts.PhoneLogIn(clinic.admin.id), pin="739460")
    assert isinstance(opened, protocol.Opened)
    phone = Someone(clinic.admin.id, "", totp=clinic.admin.totp, session=opened.session)

    answer, _ = await house.step_up(phone, acts.Suspend(clinic.doctor.id))

    assert answer == Refusal()
    assert (await last_entry(house)).reason == "not from this kind of session"


async def test_acts_with_a_step_before_or_after_them_take_it(house: House, clinic: Clinic) -> None:
    rotated = await house.done(clinic.admin, acts.Rotate())
    nothing, _ = await house.step_up(clinic.admin, acts.CollectShare())

    assert rotated.person == clinic.admin.id
    assert nothing == Refusal(), "no share waits for anybody"
    assert house.core.store.state.generation > 0
