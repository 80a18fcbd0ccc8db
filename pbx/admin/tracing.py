"""Who heard a message, and who could have: ledger, journal and the key holder's own table."""

from uuid import UUID

from litestar import get
from litestar.params import FromPath

from pbx.access.roles import Privilege
from pbx.admin.audit import recorded
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.named import Names, names_of
from pbx.admin.plane import Plane
from pbx.admin.rules import needs
from pbx.admin.wire.audit import AccessView, CouldView, HeardView, OpeningView
from storage import messages
from storage.audit import journal
from storage.audit.access import GLASS, Access, accesses, with_roles, within
from storage.audit.openings import Opening, openings
from storage.audit.search import Question, whole
from storage.conflicts import NotFound
from storage.keyholder.client import KeyHolderError
from storage.keyholder.journal import Entry, Event, JournalError
from storage.keyholder.protocol import MailboxView
from storage.ledger.actions import Action
from storage.messages import Message, MessageState

MEMBERSHIP = frozenset(
    (
        Action.MEMBER_ADDED,
        Action.MEMBER_REMOVED,
        Action.BREAK_GLASS_OPENED,
        Action.BREAK_GLASS_ENDED,
    )
)
TOLD = frozenset((Event.MESSAGE_OPENED, Event.REFUSED, Event.CHANGED))


@get(
    "/v1/audit/messages/{message:uuid}/openings",
    opt=needs(Privilege.AUDIT_TRACE, Action.AUDIT_TRACED),
    summary="Who heard a message: every opening, by ledger and key holder's journal",
)
async def who_heard(plane: GivenPlane, caller: GivenCaller, message: FromPath[UUID]) -> HeardView:
    async with plane.database.read() as connection:
        found = await messages.get(connection, message)
        rows = await whole(connection, Question(message=message))
    entries = await told(plane, found.received_at, caller.deed.at + 1)
    operations = {row.operation for row in rows}
    about = None
    if entries is not None:
        about = [one for one in entries if _concerns(one, message, operations)]
    heard = openings((row for row in rows if row.subject == message), about)
    copies = [row.named("as") for row in rows if row.subject == message]
    after = {"question": {"who heard": str(message)}, "count": len(heard)}
    await recorded(plane, caller, Action.AUDIT_TRACED, after, messages.subject(message))
    names = await names_of(plane)
    return HeardView(
        message=message,
        mailbox=found.mailbox,
        received_at=found.received_at,
        state=found.state,
        openings=[opening_view(one, names) for one in heard],
        copies=[copy for copy in copies if copy is not None],
        is_compared=entries is not None,
    )


@get(
    "/v1/audit/messages/{message:uuid}/access",
    opt=needs(Privilege.AUDIT_TRACE, Action.AUDIT_TRACED),
    summary="Who could hear a message: owner, members and break-glass while it was there",
)
async def who_could(plane: GivenPlane, caller: GivenCaller, message: FromPath[UUID]) -> CouldView:
    async with plane.database.read() as connection:
        found = await messages.get(connection, message)
    since, until = found.received_at, end_of(found, caller.deed.at + 1)
    box = await box_of(plane, found.mailbox)
    entries = await told(plane, since - GLASS, until)
    could = await access_to(plane, [box], entries, since, until)
    after = {"question": {"who could hear": str(message)}, "count": len(could)}
    await recorded(plane, caller, Action.AUDIT_TRACED, after, messages.subject(message))
    names = await names_of(plane)
    return CouldView(
        message=message,
        mailbox=found.mailbox,
        since=since,
        until=until,
        access=[access_view(one, names) for one in could],
        is_compared=entries is not None,
    )


def end_of(message: Message, now: int) -> int:
    """When its sound was destroyed, or now."""
    return message.state_at if message.state is MessageState.DESTROYED else now


async def box_of(plane: Plane, mailbox: UUID) -> MailboxView:
    """As the key holder has it: without it nobody can say who could."""
    for box in await plane.keyholder.mailboxes():
        if box.id == mailbox:
            return box
    raise NotFound("mailbox")


async def told(plane: Plane, since: int, until: int) -> list[Entry] | None:
    """What the journal has about openings and members; None: it cannot be read."""
    try:
        return [
            entry
            async for entry in journal.between(plane.keyholder, since, until)
            if entry.event in TOLD
        ]
    except (KeyHolderError, JournalError):
        return None


async def access_to(
    plane: Plane, boxes: list[MailboxView], entries: list[Entry] | None, since: int, until: int
) -> list[Access]:
    """Who could open these mailboxes in a span of time."""
    wanted = {box.id for box in boxes}
    async with plane.database.read() as connection:
        rows = await whole(connection, Question(actions=MEMBERSHIP, until=until))
        about = [row for row in rows if row.subject in wanted]
        found: list[Access] = []
        for box in boxes:
            of_box = (row for row in about if row.subject == box.id)
            found += within(accesses(box, of_box, entries or ()), since, until)
        return await with_roles(connection, found)


def _concerns(entry: Entry, message: UUID, operations: set[UUID]) -> bool:
    if entry.event is Event.MESSAGE_OPENED:
        return entry.subject == message
    return entry.event is Event.REFUSED and entry.operation in operations


def opening_view(one: Opening, names: Names) -> OpeningView:
    return OpeningView(
        at=one.at,
        message=one.message,
        action=one.action,
        outcome=one.outcome,
        person=one.person,
        login=names.login(one.person),
        device=one.device,
        phone=names.phone(one.device),
        place=one.place,
        operation=one.operation,
        journal=one.journal,
        was_opened=one.was_opened,
        by_break_glass=one.by_break_glass,
    )


def access_view(one: Access, names: Names) -> AccessView:
    return AccessView(
        mailbox=one.mailbox,
        person=one.person,
        login=names.login(one.person),
        since=one.since,
        until=one.until,
        how=one.how,
        source=one.source,
        approver=one.approver,
        approver_login=names.login(one.approver),
        had_role=one.had_role,
    )


ROUTES = [who_heard, who_could]
