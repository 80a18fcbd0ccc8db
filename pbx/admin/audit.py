"""Questions to the ledger: who did what, when, to what, and what one person did.

What is asked, and how much was shown, is committed as a row before the first byte of the answer
leaves (45 CFR 164.308(a)(1)(ii)(D), 164.312(b)): whoever reviews sees who searched.
"""

import hashlib
from dataclasses import replace
from typing import Any, Final

import msgspec
from litestar import post
from litestar.exceptions import ClientException
from litestar.params import FromPath, JSONBody

from pbx.access.errors import Denied
from pbx.access.roles import Privilege, privileges_of
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.named import Names, names_of
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.audit import (
    Asked,
    CountView,
    DeedsView,
    FollowAsked,
    FollowView,
    NumberAsked,
    RowsView,
    RowView,
)
from pbx.admin.wire.fields import Label
from storage.audit import following, numbers
from storage.audit.rows import Found, Place
from storage.audit.search import Page, Question, counted, search
from storage.details import sealed_detail
from storage.keyholder.client import Refused
from storage.keyholder.protocol import Evidence
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Subject
from storage.ledger.row import leaf
from storage.ledger.segments import gone_before
from storage.ledger.unit import Unit

CONTENT: Final = frozenset(
    action for action in Action if action.split(".")[0] in ("call", "emergency_call", "message")
)
"""Rows about calls and messages, for whoever may read call records."""
HIDDEN: Final = "rows about calls and messages are not shown to your role"


@post(
    "/v1/audit/search",
    opt=needs(Privilege.AUDIT_SEARCH, Action.AUDIT_SEARCHED),
    status_code=200,
    summary="Rows of the ledger by person, device, message, mailbox, act, outcome and time",
)
async def search_rows(plane: GivenPlane, caller: GivenCaller, data: JSONBody[Asked]) -> RowsView:
    question = await question_of(plane, caller, data)
    found = await _found(plane, question, data)
    await recorded(plane, caller, Action.AUDIT_SEARCHED, _after(question, found))
    return await rows_view(plane, found, await names_of(plane), question)


@post(
    "/v1/audit/follow",
    opt=needs(Privilege.AUDIT_SEARCH, Action.AUDIT_FOLLOWED, is_passive=True),
    status_code=200,
    summary="Rows of the ledger as they come",
)
async def follow(plane: GivenPlane, caller: GivenCaller, data: JSONBody[FollowAsked]) -> FollowView:
    """The first look and every one that shows a row are rows themselves, which no follower sees."""
    question = await question_of(plane, caller, data)
    try:
        last = following.Ends.parse(data.last) if data.last else None
    except ValueError as error:
        raise ClientException(f"{error}.") from None
    async with plane.database.read() as connection:
        rows: list[Found] = []
        if last is None:
            last = await following.ends(connection)
        else:
            rows, last = await following.since(connection, question, last, most=data.page)
    if rows or not data.last:
        after = _question(question) | {"count": len(rows)}
        await recorded(plane, caller, Action.AUDIT_FOLLOWED, after)
    names = await names_of(plane)
    hidden = HIDDEN if question.unseen else ""
    return FollowView(rows=[row_view(row, names) for row in rows], last=str(last), hidden=hidden)


@post(
    "/v1/audit/number-search",
    opt=needs(Privilege.AUDIT_NUMBER, Action.AUDIT_NUMBER_SEARCHED),
    status_code=200,
    summary="The same, of calls and messages of one telephone number; takes a reason",
)
async def search_number(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[NumberAsked]
) -> RowsView:
    """The number goes to the key holder and into no row; the reason is sealed into one."""
    asked = await question_of(plane, caller, data)
    evidence = await _stated(plane, caller, asked, data.reason)
    reason = hashlib.sha256(data.reason.encode()).digest()
    try:
        value = await plane.keyholder.look_up_number(caller.handle, data.number, reason, evidence)
    except Refused:
        await plane.note_refusal(caller, Action.AUDIT_NUMBER_SEARCHED, None, Outcome.REFUSED)
        raise Denied(
            "the key holder refused: your role, or too many look-ups in a minute"
        ) from None
    question = replace(asked, number=value)
    found = await _found(plane, question, data)
    async with plane.database.read() as connection:
        missed = await numbers.missed(connection, question.since, question.until)
    after = _after(question, found) | {"not_indexed": missed}
    await recorded(plane, caller, Action.AUDIT_NUMBER_SEARCHED, after)
    view = await rows_view(plane, found, await names_of(plane), question)
    return msgspec.structs.replace(view, not_indexed=missed)


@post(
    "/v1/audit/people/{who:str}/deeds",
    opt=needs(Privilege.AUDIT_SEARCH, Action.AUDIT_SEARCHED),
    status_code=200,
    summary="What one person did, counted and row by row",
)
async def show_deeds(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[Label], data: JSONBody[Asked]
) -> DeedsView:
    person = await resolve.person(plane, who)
    question = replace(await question_of(plane, caller, data), actor=person)
    found = await _found(plane, question, data)
    async with plane.database.read() as connection:
        counts = await counted(connection, question)
    await recorded(plane, caller, Action.AUDIT_SEARCHED, _after(question, found))
    names = await names_of(plane)
    return DeedsView(
        person=person,
        login=names.login(person),
        counts=count_views(counts),
        page=await rows_view(plane, found, names, question),
    )


async def question_of(plane: Plane, caller: Caller, data: Asked) -> Question:
    """Names become identifiers, nouns the acts they have; a role's blind spots go in."""
    sees_content = Privilege.CALL_READ in privileges_of(caller.roles)
    return Question(
        person=None if data.person is None else await resolve.person(plane, data.person),
        device=None if data.device is None else await resolve.device(plane, data.device),
        mailbox=None if data.mailbox is None else await resolve.any_mailbox(plane, data.mailbox),
        message=data.message,
        subject=data.subject,
        actions=frozenset().union(*(_actions(word) for word in data.action)),
        outcome=None if data.outcome is None else _outcome(data.outcome),
        since=data.since,
        until=data.until,
        unseen=frozenset() if sees_content else CONTENT,
    )


def _actions(word: str) -> frozenset[Action]:
    found = frozenset(one for one in Action if one == word or one.startswith(f"{word}."))
    if not found:
        raise ClientException("There is no such act; rows show their names, as message.heard.")
    return found


def _outcome(word: str) -> str:
    if word not in tuple(Outcome):
        raise ClientException(f"An outcome is one of: {', '.join(Outcome)}.")
    return word


async def _found(plane: Plane, question: Question, data: Asked) -> Page:
    try:
        after = Place.parse(data.after) if data.after else None
    except ValueError as error:
        raise ClientException(f"{error}.") from None
    async with plane.database.read() as connection:
        return await search(connection, question, size=data.page, after=after)


async def _stated(plane: Plane, caller: Caller, asked: Question, reason: str) -> Evidence:
    """The intent, with the reason sealed to the readers of records."""
    keys = await plane.keyholder.public_keys("records")
    deed = caller.deed
    detail = sealed_detail(plane.pinned, keys[0], reason, deed.operation, deed.at)
    units: list[Unit] = []

    async def work(unit: Unit) -> None:
        unit.record(
            deed.entry(
                Action.AUDIT_NUMBER_SEARCHED,
                after=_question(asked),
                detail=detail,
                outcome=Outcome.INTENDED,
            )
        )
        units.append(unit)

    await plane.committer.run(work)
    return Evidence(deed.operation, leaf(units[0].rows[0]))


async def recorded(
    plane: Plane,
    caller: Caller,
    action: Action,
    after: dict[str, Any],
    subject: Subject | None = None,
) -> None:
    """Committed, or nothing is answered."""

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(action, subject, after=after))

    await plane.committer.run(work)


def _after(question: Question, found: Page) -> dict[str, Any]:
    return _question(question) | {"count": len(found.rows)}


def _question(question: Question) -> dict[str, Any]:
    """What was asked, without a number: identifiers and words of ours alone."""
    names = ("person", "actor", "device", "mailbox", "message", "subject")
    parts = {name: getattr(question, name) for name in names}
    times = {"since": question.since, "until": question.until, "outcome": question.outcome}
    asked: dict[str, Any] = {name: str(id) for name, id in parts.items() if id is not None}
    asked |= {name: value for name, value in times.items() if value is not None}
    if question.actions:
        asked["actions"] = sorted(question.actions)
    return {"question": asked}


async def rows_view(plane: Plane, found: Page, names: Names, question: Question) -> RowsView:
    async with plane.database.read() as connection:
        gone = await gone_before(connection)
    return RowsView(
        rows=[row_view(row, names) for row in found.rows],
        next="" if found.next is None else str(found.next),
        hidden=HIDDEN if question.unseen else "",
        gone_before=gone if gone is not None and (question.since or 0) < gone else None,
    )


def row_view(row: Found, names: Names) -> RowView:
    return RowView(
        writer=row.place.writer,
        sequence=row.place.sequence,
        occurred_at=row.place.occurred_at,
        recorded_at=row.recorded_at,
        operation=row.operation,
        action=row.action,
        outcome=row.outcome,
        actor_kind=row.actor_kind,
        actor=row.actor,
        actor_name=names.of(row.actor),
        session=row.session,
        subject_kind=row.subject_kind,
        subject=row.subject,
        subject_name=names.of(row.subject),
        before=row.before,
        after=row.after,
        has_detail=row.has_detail,
    )


def count_views(counts: dict[tuple[str, str], int]) -> list[CountView]:
    return [
        CountView(action=action, outcome=outcome, count=count)
        for (action, outcome), count in sorted(counts.items())
    ]


ROUTES = [search_rows, follow, search_number, show_deeds]
