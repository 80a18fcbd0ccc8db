"""Ledgers to test with: entries, filled chains, a key holder's signature, an attacker's hands."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.engine import URL

from storage import schema
from storage.database import Database
from storage.identifiers import new_id
from storage.keyholder.signing import SignedHead, is_signed, signed_head
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind, Entry, Subject
from storage.ledger.row import GENESIS, Row, Tip, chain
from storage.ledger.table import RAW
from storage.sealed import primitives

START = 1_700_000_000_000_000


class TestClock:
    """Goes on by one millisecond at each look; can be set."""

    __test__ = False

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        self.now += 1_000
        return self.now


def entry(number: int = 0, action: Action = Action.SYSTEM_STARTED) -> Entry:
    """Every second one has all its columns filled."""

    def name(part: int) -> UUID:
        return UUID(int=number << 64 | part)

    if number % 2:
        return Entry(
            action=action, outcome=Outcome.DONE, actor=Actor(ActorKind.SYSTEM), operation=name(1)
        )
    return Entry(
        action=action,
        outcome=Outcome.REFUSED,
        actor=Actor(ActorKind.PERSON, name(2), name(3)),
        operation=name(1),
        subject=Subject("extension", name(4)),
        before={"ring": number},
        after={"ring": number + 1, "why": "späť"},
        detail=b"sealed %d" % number,
        occurred_at=START + number,
    )


async def fill(
    database: Database, count: int, writer: str = "exchange", clock: Any = None
) -> list[Row]:
    """A chain of so many rows."""
    clock = clock or TestClock()

    async def work(unit: Any) -> Any:
        for number in range(count):
            unit.record(entry(number))
        return unit

    async with Committer(database, writer, clock=clock) as committer:
        return list((await committer.run(work)).rows)


def rows_in(url: URL, writer: str | None = None) -> list[Row]:
    engine = schema.owner_engine(url)
    try:
        with engine.begin() as connection:
            query = select(RAW).order_by(RAW.c.writer, RAW.c.sequence)
            rows = [Row(*row) for row in connection.execute(query)]
    finally:
        engine.dispose()
    return [row for row in rows if writer is None or row.writer == writer]


class Signer:
    """Signs like the key holder: only what extends what it signed before."""

    def __init__(self, clock: Any) -> None:
        self._key = primitives.generate_signing_key()
        self.public = primitives.verifying_key(self._key)
        self._clock = clock
        self._ends: dict[UUID, tuple[int, bytes]] = {}
        self.is_away = False

    async def sign_head(
        self,
        writer: UUID,
        previous: int,
        leaves: Sequence[bytes],
        known: SignedHead | None = None,
    ) -> SignedHead:
        if self.is_away:
            raise ConnectionError
        sequence, value = self._ends.get(writer, (0, GENESIS))
        assert previous == sequence
        for one in leaves:
            sequence, value = sequence + 1, chain(value, one)
        self._ends[writer] = (sequence, value)
        head = SignedHead(writer, sequence, value, 7, bytes(range(32)), self._clock())
        return signed_head(self._key, head)

    def is_genuine(self, head: SignedHead) -> bool:
        return is_signed(self.public, head)


class Attacker:
    """The owner of the database: drops what refuses changes, then changes."""

    def __init__(self, url: URL, *, disarm: bool = True) -> None:
        self.engine = schema.owner_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        with self.engine.begin() as connection:
            if not disarm:
                return
            for statement in self._disarm(connection):
                connection.execute(text(statement))

    @classmethod
    def armed(cls, url: URL) -> "Attacker":
        """Leaves the guards alone until told otherwise."""
        return cls(url, disarm=False)

    def _disarm(self, connection: Connection) -> list[str]:
        if not self.is_sqlite:
            return [
                "ALTER TABLE ledger DISABLE TRIGGER USER",
                "ALTER TABLE ledger_head DISABLE TRIGGER USER",
                "ALTER TABLE ledger_segment DISABLE TRIGGER USER",
                "ALTER TABLE ledger_mention DISABLE TRIGGER USER",
                "ALTER TABLE ledger DROP CONSTRAINT IF EXISTS ck_ledger_sequence",
            ]
        query = text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        return [f"DROP TRIGGER {name}" for name in connection.execute(query).scalars()]

    def run(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            if self.is_sqlite:
                connection.execute(text("PRAGMA ignore_check_constraints = ON"))
            connection.execute(text(statement), values)

    def select(self, query: str) -> list[Any]:
        with self.engine.begin() as connection:
            return list(connection.execute(text(query)))

    def put(self, rows: Sequence[Row]) -> None:
        """The whole table becomes these rows."""
        with self.engine.begin() as connection:
            connection.execute(delete(RAW))
            if rows:
                connection.execute(insert(RAW), [row._asdict() for row in rows])

    def count(self) -> int:
        with self.engine.begin() as connection:
            return connection.execute(select(func.count()).select_from(RAW)).scalar_one()

    def close(self) -> None:
        self.engine.dispose()


def rehash(rows: Sequence[Row]) -> list[Row]:
    """What an owner would do after an edit: compute every later hash again."""
    from storage.ledger.row import leaf

    value, changed = GENESIS, []
    for row in rows:
        value = chain(value, leaf(row))
        changed.append(row._replace(hash=value))
    return changed


def some_operation() -> UUID:
    return new_id(TestClock())


__all__ = ["START", "Attacker", "Signer", "TestClock", "Tip", "entry", "fill", "rehash", "rows_in"]
