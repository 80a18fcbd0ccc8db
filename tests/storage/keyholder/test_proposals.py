"""What a second person is shown is the key holder's own word, whatever the exchange says."""

from uuid import uuid4

import msgspec
import pytest

from storage.keyholder import acts, protocol, signing
from storage.keyholder.acts import Role
from storage.keyholder.proposals import read, statement_of
from storage.keyholder.protocol import ProposalView, Waiting
from storage.keyholder.records import Mailbox, Member, Proposal
from storage.keyholder.signing import BadKey
from storage.sealed import primitives
from tests.support.keyholder import House, Someone


def pin(house: House) -> bytes:
    return primitives.verifying_key(house.core.settings().signing_key)


async def waiting(house: House, admin: Someone, act: acts.AnyAct) -> ProposalView:
    answer, _ = await house.step_up(admin, act)
    assert isinstance(answer, Waiting)
    found = await house.ask(protocol.ListProposals(), protocol.ProposalList)
    return next(one for one in found.proposals if one.id == answer.proposal)


@pytest.fixture
async def admin(house: House) -> Someone:
    return await house.administrator()


@pytest.fixture
async def doctor(house: House, admin: Someone) -> Someone:
    manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
    return await house.enrolled("doctor", Role.PHYSICIAN, admin, manager)


async def test_act_requester_and_subject_are_named_and_give_the_digest(
    house: House, admin: Someone, doctor: Someone
) -> None:
    grant = acts.GrantRole(uuid4(), doctor.id, Role.HELP_DESK, house.core.clock())
    view = await waiting(house, admin, grant)

    told = read(pin(house), view.statement, view.id)

    assert told.decoded() == grant
    assert acts.digest(told.decoded()) == view.digest
    assert told.requester == admin.login
    assert told.names == {str(doctor.id): doctor.login}
    assert told.until == view.until


async def test_another_act_another_name_or_another_proposal_is_not_believed(
    house: House, admin: Someone, doctor: Someone
) -> None:
    view = await waiting(house, admin, acts.GrantRole(uuid4(), doctor.id, Role.BILLING, 0))
    text = view.statement.text
    changed = msgspec.structs.replace(view.statement, text=text.replace(doctor.login, "victim"))
    other = signing.signed_statement(
        house.core.settings().signing_key, signing.SignedStatement("checkpoint", text)
    )

    for statement, proposal in (
        (changed, view.id),
        (other, view.id),
        (view.statement, uuid4()),
    ):
        with pytest.raises(BadKey):
            read(pin(house), statement, proposal)


async def test_a_mailbox_is_named_by_whose_it_is(house: House, admin: Someone) -> None:
    own = Mailbox(uuid4(), uuid4(), admin.id, 0)
    shared = Mailbox(uuid4(), uuid4(), None, 0, members=(Member(admin.id, 0, None, "member"),))
    empty = Mailbox(uuid4(), uuid4(), None, 0)
    rows, settings = house.core.draft(), house.core.settings()
    for mailbox in (own, shared, empty):
        rows.put(mailbox)

    for act, identifier, name in (
        (acts.Hold(own.id, uuid4()), own.id, f"mailbox of {admin.login}"),
        (acts.Hold(shared.id, uuid4()), shared.id, f"shared mailbox ({admin.login})"),
        (acts.Hold(empty.id, uuid4()), empty.id, "shared mailbox (nobody in it)"),
        (acts.SetRecovery(2, (admin.id,)), admin.id, admin.login),
    ):
        row = Proposal(uuid4(), acts.canonical(act), acts.digest(act), admin.id, 1)
        told = read(pin(house), statement_of(settings, rows, row), row.id)
        assert told.names == {str(identifier): name}
