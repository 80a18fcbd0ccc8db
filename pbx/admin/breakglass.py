"""Break-glass: somebody else's mailbox, for half an hour, by two people (SECURITY.md, custody).

The key holder decides from its own table: it checks both people's second factors, refuses the
owner and the requester as the second person, opens exactly one mailbox, ends it by itself and
tells the owner. It goes on while the ledger cannot be written: the journal is the record then.
"""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.errors import RuleBroken
from pbx.access.roles import Privilege, privileges_of
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.glass import glass_broken, reason_of, recorded
from pbx.admin.performed import performed
from pbx.admin.plane import Plane
from pbx.admin.rules import needs
from pbx.admin.wire.breakglass import Breaking, GlassView, Mending, Named
from pbx.admin.wire.fields import Label, Performed
from pbx.admin.wire.people import Decision
from storage import tenures
from storage.conflicts import NotFound
from storage.errors import StorageUnavailable
from storage.keyholder import acts, protocol
from storage.keyholder.decisions import BREAK_GLASS
from storage.keyholder.protocol import Waiting
from storage.ledger.actions import Action
from storage.ledger.entry import Subject

OWN = Privilege.BREAK_GLASS_REQUEST


@get(
    "/v1/break-glass",
    opt=needs(Privilege.BREAK_GLASS_LIST, Action.BREAK_GLASS_LISTED, without_ledger=True),
    summary="What is open by break-glass, or waits for the second person",
)
async def list_glass(plane: GivenPlane, caller: GivenCaller) -> list[GlassView]:
    """Whoever may approve sees all, others their own."""
    found = [*await _open(plane, caller.deed.at), *await _waiting(plane)]
    if Privilege.BREAK_GLASS_APPROVE not in privileges_of(caller.roles):
        found = [view for view in found if view.person == caller.someone]
    after = {"count": len(found)}
    await recorded(plane, caller.deed.entry(Action.BREAK_GLASS_LISTED, after=after))
    return found


@get(
    "/v1/break-glass/mailboxes/{what:str}",
    opt=needs(OWN, Action.BREAK_GLASS_READ, without_ledger=True),
    summary="Which mailbox a log-in name, number, label or identifier means",
)
async def name_mailbox(plane: GivenPlane, caller: GivenCaller, what: FromPath[Label]) -> Named:
    found = await _meant(plane, what)
    subject = Subject("mailbox", found.id)
    await recorded(plane, caller.deed.entry(Action.BREAK_GLASS_READ, subject))
    return Named(mailbox=found.id, owner=(await _logins(plane)).get(found.owner, ""))


@get(
    "/v1/break-glass/{proposal:uuid}/approval",
    opt=needs(Privilege.BREAK_GLASS_APPROVE, Action.BREAK_GLASS_READ, without_ledger=True),
    summary="What would be approved, in the key holder's own words",
)
async def show_glass(plane: GivenPlane, caller: GivenCaller, proposal: FromPath[UUID]) -> GlassView:
    found = next((view for view in await _waiting(plane) if view.proposal == proposal), None)
    if found is None:
        raise NotFound("proposal")
    subject = Subject("proposal", proposal)
    await recorded(plane, caller.deed.entry(Action.BREAK_GLASS_READ, subject))
    return found


@post(
    "/v1/break-glass",
    opt=needs(OWN, Action.BREAK_GLASS_REQUESTED, without_ledger=True),
    summary="Ask to open somebody else's mailbox for half an hour; waits for a second person",
)
async def break_glass(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[Breaking]
) -> Performed:
    act = acts.BreakGlass(mailbox=data.mailbox, reason=data.reason)
    subject = Subject("mailbox", data.mailbox)
    answer = await plane.perform(
        caller,
        act,
        data.proof,
        action=Action.BREAK_GLASS_REQUESTED,
        subject=subject,
        without_ledger=True,
    )
    after = {"proposal": str(answer.proposal)} if isinstance(answer, Waiting) else None
    detail = await reason_of(plane, act, caller.deed)
    await recorded(
        plane,
        caller.deed.entry(Action.BREAK_GLASS_REQUESTED, subject, after=after, detail=detail),
    )
    return performed(caller, answer)


@post(
    "/v1/break-glass/{proposal:uuid}/approval",
    opt=needs(Privilege.BREAK_GLASS_APPROVE, Action.PROPOSAL_APPROVED, without_ledger=True),
    status_code=200,
    summary="The second person's yes: the mailbox opens for half an hour from now",
)
async def approve_glass(
    plane: GivenPlane, caller: GivenCaller, proposal: FromPath[UUID], data: JSONBody[Decision]
) -> Performed:
    view = next((one for one in await plane.keyholder.proposals() if one.id == proposal), None)
    if view is None or not isinstance(view.act, acts.BreakGlass):
        raise NotFound("proposal")
    subject = Subject("proposal", proposal)
    answer = await plane.perform(
        caller,
        acts.Approve(proposal=proposal, digest=data.digest),
        data.proof,
        action=Action.PROPOSAL_APPROVED,
        subject=subject,
        without_ledger=True,
    )
    after = {"act": acts.name(view.act), "requester": str(view.requester)}
    await recorded(
        plane,
        caller.deed.entry(Action.PROPOSAL_APPROVED, subject, after=after),
        *glass_broken(caller.deed, proposal, view.requester, view.act.mailbox),
    )
    plane.is_behind = True  # so that its end is looked for in time
    return performed(caller, answer)


@post(
    "/v1/break-glass/{mailbox:uuid}/ending",
    opt=needs(Privilege.BREAK_GLASS_END, Action.BREAK_GLASS_ENDED, without_ledger=True),
    status_code=200,
    summary="End it before its time",
)
async def mend_glass(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[UUID], data: JSONBody[Mending]
) -> Performed:
    subject = Subject("mailbox", mailbox)
    answer = await plane.perform(
        caller,
        acts.EndBreakGlass(mailbox=mailbox, person=data.person),
        data.proof,
        action=Action.BREAK_GLASS_ENDED,
        subject=subject,
        without_ledger=True,
    )
    after = {"person": str(data.person), "reason": "asked"}
    await recorded(plane, caller.deed.entry(Action.BREAK_GLASS_ENDED, subject, after=after))
    return performed(caller, answer)


async def _open(plane: Plane, now: int) -> list[GlassView]:
    logins = await _logins(plane)
    return [
        GlassView(
            mailbox=box.id,
            owner=logins.get(box.owner, ""),
            person=member.person,
            login=logins.get(member.person, ""),
            state="open",
            until=member.until,
        )
        for box in await plane.keyholder.mailboxes()
        for member in box.members
        if member.kind == BREAK_GLASS and member.until is not None and now < member.until
    ]


async def _waiting(plane: Plane) -> list[GlassView]:
    logins = await _logins(plane)
    owners = {box.id: box.owner for box in await plane.keyholder.mailboxes()}
    return [
        GlassView(
            mailbox=view.act.mailbox,
            owner=logins.get(owners.get(view.act.mailbox), ""),
            person=view.requester,
            login=logins.get(view.requester, ""),
            state="waiting",
            until=view.until,
            proposal=view.id,
            statement=view.statement,
        )
        for view in await plane.keyholder.proposals()
        if isinstance(view.act, acts.BreakGlass)
    ]


async def _logins(plane: Plane) -> dict[UUID | None, str]:
    return {person.id: person.login for person in await plane.keyholder.people()}


async def _meant(plane: Plane, what: str) -> protocol.MailboxView:
    """An identifier or its owner's log-in name, which the key holder knows; with the database
    there also a number or a shared mailbox's label."""
    boxes = [box for box in await plane.keyholder.mailboxes() if box.closed is None]
    owners = {person for person, login in (await _logins(plane)).items() if login == what.lower()}
    wanted = {resolve.identifier(what)} - {None}
    wanted |= {box.id for box in boxes if box.owner in owners}
    if not wanted:
        wanted = await _in_our_tables(plane, what)
    found = [box for box in boxes if box.id in wanted]
    if len(found) > 1:
        raise RuleBroken("several mailboxes are meant: name the number or the identifier")
    if not found:
        raise NotFound("mailbox")
    return found[0]


async def _in_our_tables(plane: Plane, what: str) -> set[UUID | None]:
    try:
        async with plane.database.read() as connection:
            extension = await plane.extensions.find(connection, what)
            tenure = extension and await tenures.open_on(connection, extension)
            shared = await plane.mailboxes.find(connection, what)
    except StorageUnavailable:
        raise NotFound("mailbox of this name while the database is away") from None
    return {tenure.mailbox if tenure else None, shared}


ROUTES = [list_glass, name_mailbox, show_glass, break_glass, approve_glass, mend_glass]
