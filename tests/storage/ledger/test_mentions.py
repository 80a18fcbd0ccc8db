from uuid import UUID

from sqlalchemy import select

from storage.database import Database
from storage.ledger import table
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import SYSTEM, Actor, ActorKind, Entry, Subject
from storage.ledger.mentions import MENTIONS, Mention, mentions
from storage.ledger.row import Row, Tip

ANNA, BEN, PHONE, BOX, DEED = (UUID(int=number) for number in range(1, 6))


def row(**parts: object) -> Row:
    made = {
        "action": Action.MEMBER_ADDED,
        "outcome": Outcome.DONE,
        "actor": Actor(ActorKind.PERSON, ANNA),
        "operation": DEED,
        "subject": Subject("mailbox", BOX),
    }
    return Tip.start("w").extend(Entry(**(made | parts)), 7)[0]  # type: ignore[arg-type]


def test_whoever_before_and_after_name_is_mentioned_once() -> None:
    one = row(before={"person": str(BEN)}, after={"legs": [{"device": str(PHONE)}, str(BEN)]})

    assert list(mentions([one])) == [
        Mention(BEN.bytes, 7, "w", 1),
        Mention(PHONE.bytes, 7, "w", 1),
    ]


def test_actor_and_subject_are_columns_and_no_mentions() -> None:
    assert list(mentions([row(after={"by": str(ANNA), "box": str(BOX)})])) == []


def test_what_only_resembles_an_identifier_is_none() -> None:
    assert list(mentions([row(after={"digest": f"0{BEN}", "more": f"{BEN}-1"}), row()])) == []


def test_no_actor_and_no_subject_hide_nobody() -> None:
    one = row(actor=SYSTEM, subject=None, after={"person": str(BEN)})

    assert [mention.id for mention in mentions([one])] == [BEN.bytes]


async def test_rows_and_mentions_are_appended_together(database: Database) -> None:
    one = row(after={"person": str(BEN)})

    async with database.begin() as connection:
        await table.append(connection, [one])

    async with database.read() as connection:
        stored = (await connection.execute(select(MENTIONS))).all()
    assert [Mention(*mention) for mention in stored] == list(mentions([one]))
