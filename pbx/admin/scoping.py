"""How far a breach may have gone: by one person, at one phone, or into one mailbox.

Three lists answer 45 CFR 164.402(2): who could, who did, and from where. What was out of reach is
said as well, and why: a message opens with a key that only the key holder has.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from litestar import post
from litestar.exceptions import ClientException
from litestar.params import JSONBody

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.audit import count_views, recorded
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.named import Names, names_of
from pbx.admin.plane import Plane
from pbx.admin.rules import needs
from pbx.admin.tracing import access_to, access_view, opening_view, told
from pbx.admin.wire.audit import PlaceView, ReachView, ScopeAsked, ScopeView
from storage.audit import reach
from storage.audit.access import GLASS, Access
from storage.audit.openings import ACTIONS, Opening, openings
from storage.audit.reach import Seen
from storage.audit.rows import Found
from storage.audit.search import Question, counted, whole
from storage.keyholder.journal import Entry, Event
from storage.ledger.actions import Action
from storage.ledger.entry import Subject

PHONE: Final = frozenset((*ACTIONS, Action.SESSION_OPENED))
BEYOND: Final = (
    "their keys are in the key holder, which opens a mailbox to its owner, its named members and "
    "two people's break-glass alone; disks, backups and a session of somebody else's open none"
)


@post(
    "/v1/audit/scope",
    opt=needs(Privilege.AUDIT_TRACE, Action.AUDIT_TRACED),
    status_code=200,
    summary="How far a breach may have gone: who could, who did, from where, what was out of reach",
)
async def show_scope(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[ScopeAsked]
) -> ScopeView:
    kind, id = await _subject(plane, data)
    since, until = data.since, min(data.until or caller.deed.at + 1, caller.deed.at + 1)
    if since >= until:
        raise ClientException("The span ends after it begins.")
    entries = await told(plane, since - GLASS, until)
    names = await names_of(plane)
    question = _about(kind, id, since, until)
    did, rows = await _did(plane, question, kind, entries)
    could = await _could(plane, names, kind, id, rows, entries, since, until)
    async with plane.database.read() as connection:
        kept = await reach.messages_of_time(connection, since, until)
        counts = await counted(connection, question)
        places = [*reach.phones_of(rows)]
        if kind == "person":
            places += await reach.sessions_of(connection, id, since, until)
    near = {one.mailbox for one in could} | ({id} if kind == "mailbox" else set())
    asked: dict[str, Any] = {kind: str(id), "since": since, "until": until}
    after = {"question": {"scope": asked}, "could": len(could), "did": len(did)}
    await recorded(plane, caller, Action.AUDIT_TRACED, after, Subject(kind, id))
    beyond = {box: count for box, count in kept.items() if box not in near}
    return ScopeView(
        kind=kind,
        id=id,
        since=since,
        until=until,
        could=[access_view(one, names) for one in could],
        did=[opening_view(one, names) for one in did],
        places=[_place(one, names) for one in places],
        within_reach=await _within(plane, near, kept, did),
        other=count_views({key: count for key, count in counts.items() if key[0] not in ACTIONS}),
        beyond_mailboxes=len({box.id for box in names.mailboxes} - near | set(beyond)),
        beyond_messages=sum(beyond.values()),
        beyond=BEYOND,
        is_compared=entries is not None,
    )


async def _subject(plane: Plane, data: ScopeAsked) -> tuple[str, UUID]:
    given = [
        (kind, what, find)
        for kind, what, find in (
            ("person", data.person, resolve.person),
            ("device", data.device, resolve.device),
            ("mailbox", data.mailbox, resolve.any_mailbox),
        )
        if what is not None
    ]
    if len(given) != 1:
        raise ClientException("A scope is of one person, one phone or one mailbox.")
    ((kind, what, find),) = given
    return kind, await find(plane, what)


def _about(kind: str, id: UUID, since: int, until: int) -> Question:
    parts: dict[str, Any] = {kind: id}
    return Question(**parts, since=since, until=until)


async def _did(
    plane: Plane, question: Question, kind: str, entries: Sequence[Entry] | None
) -> tuple[list[Opening], list[Found]]:
    """Openings, and the rows that say where."""
    async with plane.database.read() as connection:
        rows = await whole(connection, replace(question, actions=PHONE))
        if kind == "device":
            # The row that ends an opening does not name the phone again.
            more = {row.subject for row in rows if row.action in ACTIONS} - {None}
            operations = {row.operation for row in rows}
            for message in more:
                about = Question(message=message, actions=ACTIONS, since=question.since)
                found = await whole(connection, about)
                rows += [row for row in found if row.operation in operations and row not in rows]
        inside = set()
        if kind == "mailbox" and question.mailbox is not None:
            inside = await reach.messages_in(connection, [question.mailbox])
    if kind == "person":
        rows = [row for row in rows if row.actor == question.person]
    operations = {row.operation for row in rows}
    about_it = None
    if entries is not None:
        about_it = [
            entry
            for entry in entries
            if entry.operation in operations
            or (entry.event is Event.MESSAGE_OPENED and _is_about(entry, question, inside))
        ]
    return openings(rows, about_it), rows


def _is_about(entry: Entry, question: Question, inside: set[UUID]) -> bool:
    """An opening that no row may tell of; at which phone it was, the journal does not know."""
    if question.person is not None:
        return entry.person == question.person
    return entry.subject in inside


async def _could(
    plane: Plane, names: Names, kind: str, id: UUID, rows: Sequence[Found],
    entries: list[Entry] | None, since: int, until: int,
) -> list[Access]:  # fmt: skip
    """By the key holder's table; of a phone, whoever it belongs to or whoever signed in there."""
    boxes = [box for box in names.mailboxes if kind != "mailbox" or box.id == id]
    could = await access_to(plane, boxes, entries, since, until)
    if kind == "mailbox":
        return could
    people = {id}
    if kind == "device":
        async with plane.database.read() as connection:
            people = await reach.holders_of(connection, id, since, until)
        people |= {row.actor for row in rows if row.actor is not None}
    return [one for one in could if one.person in people]


async def _within(
    plane: Plane, near: set[UUID], kept: dict[UUID, int], did: Sequence[Opening]
) -> list[ReachView]:
    opened = {one.message for one in did if one.was_opened}
    found = []
    async with plane.database.read() as connection:
        for box in sorted(near):
            inside = await reach.messages_in(connection, [box])
            found.append(
                ReachView(mailbox=box, messages=kept.get(box, 0), opened=len(opened & inside))
            )
    return found


def _place(one: Seen, names: Names) -> PlaceView:
    place = names.phone(UUID(one.place)) or one.place if one.kind == "phone" else one.place
    return PlaceView(
        kind=one.kind, place=place, first_at=one.first_at, last_at=one.last_at, count=one.count
    )


ROUTES = [show_scope]
