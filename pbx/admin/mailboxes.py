"""Mailboxes: shared ones, and who besides the owner may open which, each under their own name.

The key holder decides from its own table. Membership of somebody else's mailbox takes two people;
a mailbox's owner decides about their own alone. Nothing here opens a message.
"""

from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.errors import Denied
from pbx.access.policy import check_future
from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label, Performed, Proved
from pbx.admin.wire.mailboxes import FormerMember, MailboxView, MemberView, NewMailbox, NewMember
from pbx.admin.wire.sites import Renaming
from storage import people, tenures
from storage.conflicts import NotFound, WrongState
from storage.keyholder import acts, protocol
from storage.keyholder.protocol import Waiting
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.mailboxes import version_of

READ = Privilege.MAILBOX_READ


@get("/v1/mailboxes", opt=needs(READ, Action.MAILBOX_LISTED), summary="Open mailboxes and members")
async def list_mailboxes(plane: GivenPlane, caller: GivenCaller) -> list[MailboxView]:
    found = await plane.keyholder.mailboxes()
    labels = await plane.run(plane.mailboxes.listed, caller.deed)
    return [_view(mailbox, labels.get(mailbox.id)) for mailbox in found if mailbox.closed is None]


@get(
    "/v1/mailboxes/{mailbox:str}",
    opt=needs(READ, Action.MAILBOX_READ),
    summary="One mailbox and its members",
)
async def show_mailbox(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[Label]
) -> MailboxView:
    found = await _find(plane, mailbox)
    view = _view(found, await plane.run(plane.mailboxes.show, caller.deed, found.id))
    async with plane.database.read() as connection:
        version = await version_of(connection, found.id)
    return msgspec.structs.replace(view, version=version)


@post(
    "/v1/mailboxes",
    opt=needs(Privilege.MAILBOX_ADD, Action.MAILBOX_ADDED),
    summary="Make a shared mailbox, which nobody opens until it has members",
)
async def add_mailbox(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[NewMailbox]
) -> Performed:
    async with plane.database.read() as connection:
        await plane.mailboxes.check_free(connection, data.id, data.label)
    act = acts.OpenTenure(mailbox=data.id, tenure=data.tenure, owner=None)
    subject = Subject("mailbox", data.id)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.MAILBOX_ADDED, subject=subject
    )
    try:
        await plane.run(plane.mailboxes.add, caller.deed, data.id, data.label)
    except BaseException:
        await plane.abandon_mailbox(data.id, caller.deed.operation)
        raise
    return performed(caller, answer)


@post(
    "/v1/mailboxes/{mailbox:str}/name",
    opt=needs(Privilege.MAILBOX_RENAME, Action.MAILBOX_RENAMED),
    status_code=200,
    summary="Rename a shared mailbox",
)
async def rename_mailbox(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[Label], data: JSONBody[Renaming]
) -> Changed:
    found = await _find(plane, mailbox)
    await plane.run(plane.mailboxes.rename, caller.deed, found.id, data.version, data.name)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/mailboxes/{mailbox:str}/closing",
    opt=needs(Privilege.MAILBOX_ADD, Action.MAILBOX_CLOSED),
    status_code=200,
    summary="Close a shared mailbox, or one that belongs to no number any more",
)
async def close_mailbox(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[Label], data: JSONBody[Proved]
) -> Performed:
    found = await _find(plane, mailbox)
    async with plane.database.read() as connection:
        if await tenures.is_alive(connection, found.tenure):
            raise WrongState("mailbox", "belongs to a number: release that instead")
    subject = Subject("mailbox", found.id)
    act = acts.CloseTenure(mailbox=found.id)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.MAILBOX_CLOSED, subject=subject
    )

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.MAILBOX_CLOSED, subject))

    await plane.committer.run(work)
    plane.is_behind = True  # it may have been what the alarm was about
    return performed(caller, answer)


@post(
    "/v1/mailboxes/{mailbox:str}/members",
    opt=needs(Privilege.MAILBOX_MEMBERS, Action.MEMBER_ADDED),
    status_code=200,
    summary="Ask for somebody to become a member; waits for a second person",
)
async def add_member(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[Label], data: JSONBody[NewMember]
) -> Performed:
    return await _add(plane, caller, await _find(plane, mailbox), data)


@post(
    "/v1/mailboxes/{mailbox:str}/members/removal",
    opt=needs(Privilege.MAILBOX_MEMBERS, Action.MEMBER_REMOVED),
    status_code=200,
    summary="End a membership at once",
)
async def remove_member(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[Label], data: JSONBody[FormerMember]
) -> Performed:
    return await _remove(plane, caller, await _find(plane, mailbox), data)


@get(
    "/v1/own/mailboxes",
    opt=needs(Privilege.OWN_MAILBOX, Action.MAILBOX_LISTED),
    summary="Your own open mailboxes and their members",
)
async def list_own_mailboxes(plane: GivenPlane, caller: GivenCaller) -> list[MailboxView]:
    own = [
        mailbox
        for mailbox in await plane.keyholder.mailboxes()
        if mailbox.owner == caller.someone and mailbox.closed is None
    ]

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.MAILBOX_LISTED, after={"count": len(own)}))

    await plane.committer.run(work)
    return [_view(mailbox, None) for mailbox in own]


@post(
    "/v1/own/mailboxes/{mailbox:uuid}/members",
    opt=needs(Privilege.OWN_MAILBOX, Action.MEMBER_ADDED),
    status_code=200,
    summary="Let somebody open your own mailbox",
)
async def add_own_member(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[UUID], data: JSONBody[NewMember]
) -> Performed:
    return await _add(plane, caller, await _own(plane, caller, mailbox), data)


@post(
    "/v1/own/mailboxes/{mailbox:uuid}/members/removal",
    opt=needs(Privilege.OWN_MAILBOX, Action.MEMBER_REMOVED),
    status_code=200,
    summary="End a membership of your own mailbox",
)
async def remove_own_member(
    plane: GivenPlane, caller: GivenCaller, mailbox: FromPath[UUID], data: JSONBody[FormerMember]
) -> Performed:
    return await _remove(plane, caller, await _own(plane, caller, mailbox), data)


async def _add(
    plane: Plane, caller: Caller, mailbox: protocol.MailboxView, data: NewMember
) -> Performed:
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    async with plane.database.read() as connection:
        await people.facts_of(connection, data.person)
    act = acts.AddMember(mailbox=mailbox.id, person=data.person, start=data.start, until=data.until)
    subject = Subject("mailbox", mailbox.id)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.MEMBER_ADDED, subject=subject
    )
    if not isinstance(answer, Waiting):

        async def work(unit: Unit) -> None:
            member_added(unit, caller, act)

        await plane.committer.run(work)
    return performed(caller, answer)


def member_added(unit: Unit, caller: Caller, act: acts.AddMember) -> None:
    """The row that says it is done: by the owner alone, or with the second person's yes."""
    after = {"person": str(act.person), "start": act.start, "until": act.until}
    unit.record(
        caller.deed.entry(Action.MEMBER_ADDED, Subject("mailbox", act.mailbox), after=after)
    )


async def _remove(
    plane: Plane, caller: Caller, mailbox: protocol.MailboxView, data: FormerMember
) -> Performed:
    if all(member.person != data.person for member in mailbox.members):
        raise NotFound("member")
    act = acts.RemoveMember(mailbox=mailbox.id, person=data.person)
    subject = Subject("mailbox", mailbox.id)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.MEMBER_REMOVED, subject=subject
    )
    before = {"person": str(data.person)}

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.MEMBER_REMOVED, subject, before=before))

    await plane.committer.run(work)
    return performed(caller, answer)


async def _find(plane: Plane, mailbox: str | UUID) -> protocol.MailboxView:
    """By a shared mailbox's label, or by identifier."""
    known = mailbox if isinstance(mailbox, UUID) else resolve.identifier(mailbox)
    if known is None:
        async with plane.database.read() as connection:
            known = await plane.mailboxes.find(connection, str(mailbox))
    for found in await plane.keyholder.mailboxes():
        if found.id == known:
            return found
    raise NotFound("mailbox")


async def _own(plane: Plane, caller: Caller, mailbox: UUID) -> protocol.MailboxView:
    """One's own and open; whether somebody else's exists is not said."""
    try:
        found = await _find(plane, mailbox)
    except NotFound:
        found = None
    if found is None or found.owner != caller.someone or found.closed is not None:
        raise Denied("this is not a mailbox of yours")
    return found


def _view(mailbox: protocol.MailboxView, label: str | None) -> MailboxView:
    return MailboxView(
        id=mailbox.id,
        label=label,
        owner=mailbox.owner,
        opened_at=mailbox.opened,
        closed_at=mailbox.closed,
        members=[
            MemberView(
                person=member.person, kind=member.kind, starts_at=member.start, until=member.until
            )
            for member in mailbox.members
        ],
    )


ROUTES = [
    list_mailboxes,
    show_mailbox,
    add_mailbox,
    rename_mailbox,
    close_mailbox,
    add_member,
    remove_member,
    list_own_mailboxes,
    add_own_member,
    remove_own_member,
]
