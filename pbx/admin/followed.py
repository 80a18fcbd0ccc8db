"""Our copy of what two people have changed at the key holder, in the operation of the second."""

from uuid import UUID

from pbx.admin.mailboxes import member_added
from pbx.admin.plane import Caller, Plane
from storage import grants, people, tenures
from storage.conflicts import WrongState
from storage.deeds import Deed
from storage.keyholder import acts
from storage.ledger.actions import Action
from storage.ledger.unit import Unit
from storage.people import People, PersonState


async def followed(plane: Plane, unit: Unit, caller: Caller, proposal: UUID, act: acts.Act) -> None:
    match act:
        case acts.GrantRole():
            facts = await grants.by_proposal(unit.connection, proposal)
            if facts is not None:
                await plane.grants.approve(unit, caller.deed, facts.id, caller.someone)
        case acts.Reinstate():
            await reinstated(unit, caller.deed, plane.people, act)
        case acts.AddMember():
            member_added(unit, caller, act)
        case acts.ReleaseHold(hold=hold):
            await plane.holds.release(unit, caller.deed, hold)
        case acts.ReopenTenure():
            await _reopened(plane, unit, caller.deed, act)


async def reinstated(unit: Unit, deed: Deed, copy: People, act: acts.Reinstate) -> None:
    """Back, with the end that was asked for; a row for whichever of the two changed."""
    facts = await people.facts_of(unit.connection, act.person)
    if facts.state is PersonState.SUSPENDED:
        await copy.resume(unit, deed, act.person, facts.version)
        facts = await people.facts_of(unit.connection, act.person)
    if facts.until != act.until:
        await copy.set_end(unit, deed, act.person, facts.version, act.until)


async def _reopened(plane: Plane, unit: Unit, deed: Deed, act: acts.ReopenTenure) -> None:
    earlier = await tenures.of_mailbox(unit.connection, act.mailbox)
    if earlier is None:
        raise WrongState("tenure", "is not known here")
    verb = plane.extensions.restore
    await verb(unit, deed, Action.EXTENSION_UNDONE, earlier.extension, earlier.id)
