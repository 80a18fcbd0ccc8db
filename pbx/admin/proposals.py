"""What waits for a second person, and their yes or no (separation of duties).

The key holder keeps the proposals and decides who may approve; it also refuses the requester and
the subject. What an approval changes in the exchange's own tables follows in the same operation.
"""

from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.errors import RuleBroken
from pbx.access.policy import check_second_person
from pbx.access.roles import Privilege, privileges_of
from pbx.admin.followed import followed
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.performed import performed
from pbx.admin.plane import Plane
from pbx.admin.rules import needs
from pbx.admin.undoing import check_undoable
from pbx.admin.wire.fields import Performed
from pbx.admin.wire.people import Decision, ProposalView
from storage import grants
from storage.conflicts import NotFound
from storage.keyholder import acts, protocol
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit


@get(
    "/v1/proposals",
    opt=needs(Privilege.ROLE_READ, Action.PROPOSAL_LISTED),
    summary="What waits for a second person",
)
async def list_proposals(plane: GivenPlane, caller: GivenCaller) -> list[ProposalView]:
    found = list(await plane.keyholder.proposals())
    if Privilege.BREAK_GLASS_APPROVE not in privileges_of(caller.roles):
        # The stated reason may speak of a patient: for whoever may approve it, and nobody else.
        found = [view for view in found if not isinstance(view.act, acts.BreakGlass)]

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.PROPOSAL_LISTED, after={"count": len(found)}))

    await plane.committer.run(work)
    return [_view(proposal) for proposal in found]


@post(
    "/v1/proposals/{proposal:uuid}/approval",
    opt=needs(Privilege.PROPOSAL_APPROVE, Action.PROPOSAL_APPROVED),
    status_code=200,
    summary="The second person's yes",
)
async def approve(
    plane: GivenPlane, caller: GivenCaller, proposal: FromPath[UUID], data: JSONBody[Decision]
) -> Performed:
    view = await _find(plane, proposal)
    if isinstance(view.act, acts.BreakGlass):
        raise RuleBroken("this is approved with: pbx breakglass approve")
    subject = subject_of(view.act)
    if subject is not None:
        check_second_person(requester=view.requester, approver=caller.someone, subject=subject)
    if isinstance(view.act, acts.ReopenTenure):
        await check_undoable(plane, view.act)
    answer = await plane.perform(
        caller,
        acts.Approve(proposal=proposal, digest=data.digest),
        data.proof,
        action=Action.PROPOSAL_APPROVED,
        subject=Subject("proposal", proposal),
    )

    async def work(unit: Unit) -> None:
        unit.record(
            caller.deed.entry(
                Action.PROPOSAL_APPROVED,
                Subject("proposal", proposal),
                after={"act": acts.name(view.act), "requester": str(view.requester)},
            )
        )
        await followed(plane, unit, caller, proposal, view.act)

    await plane.committer.run(work)
    return performed(caller, answer)


@post(
    "/v1/proposals/{proposal:uuid}/refusal",
    opt=needs(Privilege.PROPOSAL_APPROVE, Action.PROPOSAL_DECLINED),
    status_code=200,
    summary="The second person's no",
)
async def decline(
    plane: GivenPlane, caller: GivenCaller, proposal: FromPath[UUID], data: JSONBody[Decision]
) -> Performed:
    view = await _find(plane, proposal)
    answer = await plane.perform(
        caller,
        acts.Decline(proposal=proposal, digest=data.digest),
        data.proof,
        action=Action.PROPOSAL_DECLINED,
        subject=Subject("proposal", proposal),
    )

    async def work(unit: Unit) -> None:
        unit.record(
            caller.deed.entry(
                Action.PROPOSAL_DECLINED,
                Subject("proposal", proposal),
                after={"act": acts.name(view.act)},
            )
        )
        facts = await grants.by_proposal(unit.connection, proposal)
        if facts is not None:
            await plane.grants.decline(unit, caller.deed, facts.id)

    await plane.committer.run(work)
    return performed(caller, answer)


def subject_of(act: acts.Act) -> UUID | None:
    """The person an act is about."""
    subject = getattr(act, "person", None) or getattr(act, "owner", None)
    return subject if isinstance(subject, UUID) else None


async def _find(plane: Plane, proposal: UUID) -> protocol.ProposalView:
    for view in await plane.keyholder.proposals():
        if view.id == proposal:
            return view
    raise NotFound("proposal")


def _view(view: protocol.ProposalView) -> ProposalView:
    fields = msgspec.to_builtins(view.act)
    return ProposalView(
        id=view.id,
        act=acts.name(view.act),
        digest=view.digest,
        requester=view.requester,
        subject=subject_of(view.act),
        detail={name: str(value) for name, value in fields.items() if name != "act"},
        until=view.until,
        statement=view.statement,
    )


ROUTES = [list_proposals, approve, decline]
