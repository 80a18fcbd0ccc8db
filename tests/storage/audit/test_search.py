"""Searching, on both engines, against a plain look at every row."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from storage.audit.rows import Found, Place
from storage.audit.search import Question, counted, search, whole
from storage.database import Database
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Actor, ActorKind, Entry, Subject
from storage.ledger.unit import Unit
from storage.models.audit import number_index
from storage.models.messages import message
from tests.support.ledger import TestClock

ANNA, BEN, PHONE, BOX, NOTE, CALL, OTHER = (UUID(int=number) for number in range(1, 8))
NUMBER = b"n" * 32
STEP = 1_000_000


def entry(number: int) -> Entry:
    """Twelve kinds of rows, a second apart."""
    anna, phone = Actor(ActorKind.PERSON, ANNA), Actor(ActorKind.DEVICE, PHONE)
    parts: dict[str, Any] = [
        {"action": Action.MESSAGE_HEARD, "actor": anna, "subject": Subject("message", NOTE),
         "after": {"device": str(PHONE)}},
        {"action": Action.MESSAGE_HEARD, "actor": Actor(ActorKind.PERSON, BEN),
         "subject": Subject("message", NOTE), "outcome": Outcome.REFUSED},
        {"action": Action.MEMBER_ADDED, "actor": anna, "subject": Subject("mailbox", BOX),
         "after": {"person": str(BEN)}},
        {"action": Action.REGISTRATION_STARTED, "actor": phone,
         "subject": Subject("device", PHONE)},
        {"action": Action.CALL_ENDED, "actor": phone, "subject": Subject("call", CALL),
         "after": {"legs": [{"device": str(OTHER)}]}},
        {"action": Action.PERSON_SUSPENDED, "actor": SYSTEM, "subject": Subject("person", BEN)},
    ][number % 6]  # fmt: skip
    made = {"outcome": Outcome.DONE, "operation": UUID(int=1000 + number)}
    return Entry(**(made | {"occurred_at": number * STEP} | parts))


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Database]:
    async def work(unit: Unit) -> None:
        for number in range(60):
            unit.record(entry(number))

    async def elsewhere(unit: Unit) -> None:
        unit.record(entry(30))

    async with Committer(database, "exchange", clock=TestClock()) as committer:
        await committer.run(work)
    async with Committer(database, "command", clock=TestClock()) as committer:
        await committer.run(elsewhere)
    async with database.begin() as connection:
        await connection.execute(
            insert(number_index).values(
                value=NUMBER, subject_id=CALL, subject_kind="call", occurred_at=0
            )
        )
        await connection.execute(insert(message).values(**kept(NOTE, BOX)))
    yield database


def kept(id: UUID, mailbox: UUID) -> dict[str, Any]:
    """A message's row."""
    whole = dict.fromkeys(("milliseconds", "octets", "segments", "received_at", "recorded_at"), 1)
    flags = {"is_complete": True, "is_urgent": False, "is_private": False, "state_at": 1}
    named = {"id": id, "mailbox_id": mailbox, "deposit_key_id": id, "content": id.bytes}
    return {**whole, **flags, **named, "state": "new", "codec": "opus", "digest": bytes(32)}


async def answer(database: Database, size: int = 1000, **parts: Any) -> list[Found]:
    async with database.read() as connection:
        page = await search(connection, Question(**parts), size=size)
    assert page.next is None
    return list(page.rows)


def numbers(rows: list[Found]) -> list[int]:
    """Newest first; what kind each row is."""
    assert [row.place for row in rows] == sorted((row.place for row in rows), reverse=True)
    return sorted({row.place.occurred_at // STEP % 6 for row in rows})


@pytest.mark.parametrize(
    ("parts", "kinds", "count"),
    [
        ({}, [0, 1, 2, 3, 4, 5], 61),
        ({"person": ANNA}, [0, 2], 21),
        ({"person": BEN}, [1, 2, 5], 30),
        ({"actor": BEN}, [1], 10),
        ({"device": PHONE}, [0, 3, 4], 31),
        ({"device": OTHER}, [4], 10),
        ({"message": NOTE}, [0, 1], 21),
        ({"mailbox": BOX}, [0, 1, 2], 31),
        ({"subject": CALL}, [4], 10),
        ({"number": NUMBER}, [4], 10),
        ({"actions": frozenset({Action.CALL_ENDED, Action.MEMBER_ADDED})}, [2, 4], 20),
        ({"outcome": "refused"}, [1], 10),
        ({"outcome": "done", "person": BEN}, [2, 5], 20),
        ({"since": 12 * STEP, "until": 18 * STEP}, [0, 1, 2, 3, 4, 5], 6),
        ({"message": NOTE, "person": BEN}, [1], 10),
        ({"message": NOTE, "mailbox": BOX, "device": PHONE}, [0], 11),
        ({"person": BEN, "actions": frozenset({Action.MEMBER_ADDED})}, [2], 10),
        ({"actor": ANNA, "actions": frozenset({Action.MEMBER_ADDED})}, [2], 10),
        ({"person": ANNA, "actor": BEN}, [], 0),
        ({"device": PHONE, "unseen": frozenset({Action.CALL_ENDED})}, [0, 3], 21),
        ({"person": OTHER, "outcome": "failed"}, [], 0),
    ],
)
async def test_each_part_of_a_question_narrows_the_answer(
    ledger: Database, parts: dict[str, Any], kinds: list[int], count: int
) -> None:
    rows = await answer(ledger, **parts)

    assert numbers(rows) == kinds
    assert len(rows) == count


@pytest.mark.parametrize("parts", [{}, {"device": PHONE}, {"mailbox": BOX}, {"person": BEN}])
async def test_pages_are_the_whole_answer_and_nothing_twice(
    ledger: Database, parts: dict[str, Any]
) -> None:
    whole = await answer(ledger, **parts)
    rows: list[Found] = []
    after: Place | None = None
    while True:
        async with ledger.read() as connection:
            page = await search(connection, Question(**parts), size=7, after=after)
        rows += page.rows
        if page.next is None:
            break
        assert len(page.rows) == 7
        after = Place.parse(str(page.next))

    assert rows == whole


async def test_a_row_is_shown_as_it_was_written(ledger: Database) -> None:
    newest = (await answer(ledger, actions=frozenset({Action.MESSAGE_HEARD}), outcome="done"))[0]

    assert newest.actor == ANNA
    assert newest.subject == NOTE
    assert newest.named("device") == PHONE
    assert newest.named("person") is None
    assert newest.before is None
    assert not newest.has_detail


async def test_what_somebody_did_is_counted(ledger: Database) -> None:
    async with ledger.read() as connection:
        assert await counted(connection, Question(actor=ANNA, until=6 * STEP)) == {
            ("message.heard", "done"): 1,
            ("member.added", "done"): 1,
        }
        assert sum((await counted(connection, Question())).values()) == 61
        for parts in ({"person": BEN}, {"device": PHONE}, {"mailbox": BOX}, {"number": NUMBER}):
            question = Question(**parts)  # type: ignore[arg-type]
            page = await search(connection, question, size=1000)
            assert sum((await counted(connection, question)).values()) == len(page.rows)


async def test_all_pages_are_taken_up_to_a_bound(ledger: Database) -> None:
    async with ledger.read() as connection:
        assert len(await whole(connection, Question(), most=5)) == 61, "one page is more"
        assert len(await whole(connection, Question())) == 61


@pytest.mark.parametrize(
    "text", ["", "1", "1:2", "1:2:", "x:2:w", "1:²:w", "1:2x:w", f"{10**20}:1:w"]
)
def test_a_place_that_no_page_ended_with_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="place"):
        Place.parse(text)
