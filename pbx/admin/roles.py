"""Roles: the table itself, and grants from request to end."""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from pbx.access import policy
from pbx.access.roles import APPROVING_ROLES, Privilege, Role, matrix_rows
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs, public
from pbx.admin.wire.fields import Performed, Proved
from pbx.admin.wire.people import GrantView, MatrixLine, NewGrant
from storage import grants
from storage.grants import Grant, GrantState
from storage.keyholder import acts
from storage.keyholder.protocol import Waiting
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit


@get("/v1/roles", opt=public(), summary="The whole role table")
async def role_matrix() -> list[MatrixLine]:
    return [
        MatrixLine(
            privilege=row.privilege,
            allowed=list(row.allowed),
            everybody=row.everybody,
            step_up=row.step_up,
        )
        for row in matrix_rows()
    ]


@get("/v1/grants", opt=needs(Privilege.ROLE_READ, Action.GRANT_LISTED), summary="Who holds what")
async def list_grants(
    plane: GivenPlane,
    caller: GivenCaller,
    person: FromQuery[str | None] = None,
    ended: FromQuery[bool] = False,
) -> list[GrantView]:
    about = None if person is None else await resolve.person(plane, person)
    found = await plane.run(plane.grants.listed, caller.deed, about, all_states=ended)
    return [_view(grant) for grant in found]


@post(
    "/v1/grants",
    opt=needs(Privilege.ROLE_REQUEST, Action.GRANT_REQUESTED),
    summary="Ask for a role for somebody else",
)
async def request_grant(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[NewGrant],
) -> Performed:
    await _check(plane, caller, data)
    act = acts.GrantRole(
        grant=data.id, person=data.person, role=data.role, start=data.start, until=data.until
    )
    answer = await plane.perform(
        caller,
        act,
        data.proof,
        action=Action.GRANT_REQUESTED,
        subject=Subject("role_grant", data.id),
    )
    new = grants.NewGrant(
        id=data.id,
        person=data.person,
        role=data.role,
        reason=data.reason,
        requested_by=caller.someone,
        until=data.until,
        proposal=answer.proposal if isinstance(answer, Waiting) else None,
    )
    waits = isinstance(answer, Waiting)
    verb = plane.grants.request if waits else plane.grants.make_by_installation
    await plane.run(verb, caller.deed, new)
    return performed(caller, answer)


@post(
    "/v1/grants/{grant:uuid}/revocation",
    opt=needs(Privilege.ROLE_REVOKE, Action.GRANT_ENDED),
    status_code=200,
    summary="End a grant at once",
)
async def revoke_grant(
    plane: GivenPlane, caller: GivenCaller, grant: FromPath[UUID], data: JSONBody[Proved]
) -> Performed:
    async with plane.database.read() as connection:
        facts = await grants.grant_facts(connection, grant)
        holders = await grants.enrolled_holders(
            connection, caller.deed.at, Role.SYSTEM_ADMINISTRATOR
        )
        approvers = await grants.enrolled_holders(connection, caller.deed.at, *APPROVING_ROLES)
        held = await grants.roles_of(connection, facts.person, caller.deed.at)
    if facts.role is Role.SYSTEM_ADMINISTRATOR:
        policy.check_administrator_remains(facts.person, holders)
    if held & frozenset(APPROVING_ROLES) == {facts.role}:
        policy.check_approver_remains(facts.person, approvers)
    act = acts.RevokeRole(grant=grant, person=facts.person)
    subject = Subject("role_grant", grant)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.GRANT_ENDED, subject=subject
    )

    async def work(unit: Unit) -> None:
        present = await grants.grant_facts(unit.connection, grant)
        if present.state in (GrantState.ACTIVE, GrantState.PENDING):
            await plane.grants.revoke(unit, caller.deed, grant, "asked")
        else:  # it was the key holder's alone
            after = {"state": present.state, "reason": "asked"}
            unit.record(caller.deed.entry(Action.GRANT_ENDED, subject, after=after))

    try:
        await plane.committer.run(work)
    except BaseException:
        plane.is_behind = True  # the key holder has ended it; ours follows at the next look
        raise
    return performed(caller, answer)


async def _check(plane: Plane, caller: Caller, data: NewGrant) -> None:
    """Our own rules first; the key holder applies its own again, from its own table."""
    if data.until is not None:
        policy.check_future(data.until, caller.deed.at)
    async with plane.database.read() as connection:
        await plane.grants.check_free(connection, data.id, data.person)
        policy.path_of_grant(
            policy.GrantFacts(
                requester=caller.someone,
                subject=data.person,
                role=data.role,
                held=await grants.held_or_awaited(connection, data.person),
                approvers_ever=await grants.approvers_ever(connection, APPROVING_ROLES),
            )
        )


def _view(grant: Grant) -> GrantView:
    facts = grant.facts
    return GrantView(
        id=facts.id,
        person=facts.person,
        role=facts.role,
        state=facts.state,
        reason=grant.reason,
        requested_by=facts.requested_by,
        approved_by=facts.approved_by,
        by_installation=facts.by_installation,
        proposal=facts.proposal,
        starts_at=facts.starts_at,
        until=facts.until,
        ended_at=facts.ended_at,
    )


ROUTES = [role_matrix, list_grants, request_grant, revoke_grant]
