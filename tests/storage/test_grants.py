"""Grants: requested, approved, declined, ended; `installation` stays visible."""

from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from storage.conflicts import NotFound, WrongState
from storage.grants import (
    GrantState,
    NewGrant,
    approvers_ever,
    by_proposal,
    expired,
    grant_facts,
    held_or_awaited,
    holders,
    in_force_by_installation,
    roles_of,
)
from storage.identifiers import new_id
from storage.keyholder.acts import Role
from tests.support.clock import DAY
from tests.support.stores import Stores


class Clinic:
    """Two people and a way to ask for grants."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores

    async def open(self) -> "Clinic":
        self.anna = await self.stores.hire("anna")
        self.ben = await self.stores.hire("ben")
        self.clara = await self.stores.hire("clara")
        return self

    def new(self, role: Role = Role.HELP_DESK, until: int | None = None) -> NewGrant:
        clock = self.stores.clock
        return NewGrant(
            id=new_id(clock),
            person=self.ben,
            role=role,
            reason="answers the phones",
            requested_by=self.anna,
            until=until,
            proposal=new_id(clock),
        )

    async def roles(self) -> frozenset[Role]:
        return await self.stores.ask(roles_of, self.ben, self.stores.clock())


async def test_a_requested_grant_counts_only_once_it_is_approved(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    new = clinic.new()

    await stores.do(stores.grants.request, new)
    assert await clinic.roles() == frozenset()
    assert await stores.ask(held_or_awaited, clinic.ben) == {Role.HELP_DESK}

    await stores.do(stores.grants.approve, new.id, clinic.clara)
    assert await clinic.roles() == {Role.HELP_DESK}
    assert (await stores.actions())[-2:] == ["grant.requested", "grant.made"]


@pytest.mark.parametrize("approver", ["anna", "ben"])
async def test_the_database_itself_refuses_requester_and_subject_as_approver(
    stores: Stores, approver: str
) -> None:
    clinic = await Clinic(stores).open()
    new = clinic.new()
    await stores.do(stores.grants.request, new)

    with pytest.raises(IntegrityError):
        await stores.do(stores.grants.approve, new.id, getattr(clinic, approver))

    assert await clinic.roles() == frozenset()


async def test_a_declined_grant_never_counts(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    new = clinic.new()
    await stores.do(stores.grants.request, new)

    await stores.do(stores.grants.decline, new.id)

    assert await clinic.roles() == frozenset()
    with pytest.raises(WrongState, match="does not wait"):
        await stores.do(stores.grants.approve, new.id, clinic.clara)


async def test_a_grant_by_installation_is_marked_for_ever(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    new = clinic.new()

    await stores.do(stores.grants.make_by_installation, new)
    assert await stores.ask(in_force_by_installation, stores.clock()) == 1
    await stores.do(stores.grants.revoke, new.id, "asked")
    assert await stores.ask(in_force_by_installation, stores.clock()) == 0

    facts = await stores.ask(grant_facts, new.id)
    assert facts.by_installation
    assert facts.state is GrantState.ENDED
    assert '"by":"installation"' in str((await stores.rows())[-2].after)
    with pytest.raises(WrongState, match="ended already"):
        await stores.do(stores.grants.revoke, new.id, "asked")


async def test_a_grant_ends_by_itself_at_its_end(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    new = clinic.new(until=stores.clock() + DAY)
    await stores.do(stores.grants.make_by_installation, new)
    assert await clinic.roles() == {Role.HELP_DESK}

    stores.clock.now += DAY

    assert await clinic.roles() == frozenset()
    assert [facts.id for facts in await stores.ask(expired, stores.clock())] == [new.id]


async def test_every_grant_of_a_person_ends_at_once(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    one, two = clinic.new(), clinic.new(Role.BILLING)
    await stores.do(stores.grants.request, one)
    await stores.do(stores.grants.make_by_installation, two)

    ended = await stores.do(stores.grants.end_all, clinic.ben, "left")

    assert set(ended) == {one.id, two.id}
    assert (await stores.actions()).count("grant.ended") == 2
    assert await stores.ask(held_or_awaited, clinic.ben) == frozenset()


async def test_reasons_are_sealed_and_reading_them_is_recorded(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    new = clinic.new()
    await stores.do(stores.grants.request, new)
    await stores.do(stores.grants.decline, new.id)

    assert await stores.do(stores.grants.listed) == []
    grants = await stores.do(stores.grants.listed, clinic.ben, all_states=True)

    assert [grant.reason for grant in grants] == ["answers the phones"]
    assert (await stores.actions())[-1] == "grant.listed"
    assert "phones" not in str(await stores.rows())


async def test_a_grant_is_found_by_what_the_key_holder_calls_it(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    new = clinic.new()
    await stores.do(stores.grants.request, new)

    assert new.proposal is not None
    found = await stores.ask(by_proposal, new.proposal)
    assert found is not None
    assert found.id == new.id
    assert await stores.ask(by_proposal, UUID(int=9)) is None
    with pytest.raises(NotFound):
        await stores.ask(grant_facts, UUID(int=9))


async def test_whoever_could_ever_approve_is_counted_even_after_leaving(stores: Stores) -> None:
    clinic = await Clinic(stores).open()
    manager = clinic.new(Role.PRACTICE_MANAGER)
    await stores.do(stores.grants.make_by_installation, manager)
    approving = [Role.PRACTICE_MANAGER, Role.SYSTEM_ADMINISTRATOR]
    assert await stores.ask(approvers_ever, approving) == 0

    await stores.do(stores.people.enrolled, clinic.ben)
    assert await stores.ask(approvers_ever, approving) == 1
    assert await stores.ask(holders, Role.PRACTICE_MANAGER, stores.clock()) == {clinic.ben}

    await stores.do(stores.grants.end_all, clinic.ben, "left")
    assert await stores.ask(approvers_ever, approving) == 1
    assert await stores.ask(holders, Role.PRACTICE_MANAGER, stores.clock()) == frozenset()
