"""Questions to the ledger: indexes by person, thing, act and time, mentions, and numbers."""

import re
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAMED = re.compile(
    r"(?<![0-9a-f-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f-])"
)
CHUNK = 5_000
KEY = ("id", "occurred_at", "writer", "sequence")
UNDONE = sa.text("outcome <> 'done'")


def upgrade() -> None:
    op.drop_index("ix_ledger_subject_id", "ledger")
    op.create_index("ix_ledger_occurred_at", "ledger", ["occurred_at"])
    for name in ("actor_id", "subject_id", "action"):
        op.create_index(f"ix_ledger_{name}", "ledger", [name, "occurred_at"])
    op.create_index(
        "ix_ledger_outcome",
        "ledger",
        ["outcome", "occurred_at"],
        sqlite_where=UNDONE,
        postgresql_where=UNDONE,
    )
    op.create_index("ix_call_records_key_id", "call", ["records_key_id"])
    op.create_index("ix_message_records_key_id", "message", ["records_key_id"])
    _mentions()
    _numbers()


def _mentions() -> None:
    op.create_table(
        "ledger_mention",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("occurred_at", WHOLE, nullable=False, autoincrement=False),
        sa.Column("writer", sa.Text, nullable=False),
        sa.Column("sequence", WHOLE, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint(*KEY, name="pk_ledger_mention"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    _fill(op.get_bind())
    if op.get_bind().dialect.name == "sqlite":
        refuse = "SELECT RAISE(ABORT, 'the ledger is append-only')"
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ledger_mention_no_{change.lower()} BEFORE {change} "
                f"ON ledger_mention BEGIN {refuse}; END"
            )
        taken = " AND ".join(f"{name} = NEW.{name}" for name in KEY)
        op.execute(
            "CREATE TRIGGER ledger_mention_no_replace BEFORE INSERT ON ledger_mention "
            f"WHEN EXISTS (FROM ledger_mention WHERE {taken}) BEGIN {refuse}; END".replace(
                "EXISTS (", "EXISTS (SELECT 1 "
            )
        )
    else:
        op.execute(
            "CREATE TRIGGER ledger_mention_no_change BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON ledger_mention FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _fill(connection: sa.Connection) -> None:
    """From the rows there are."""
    ledger = sa.table(
        "ledger",
        *(
            sa.column(name)
            for name in (
                "writer", "sequence", "occurred_at", "actor_id", "subject_id", "before", "after",
            )
        ),
    )  # fmt: skip
    mention = sa.table("ledger_mention", *map(sa.column, KEY))
    for writer in connection.scalars(sa.select(ledger.c.writer).distinct()).all():
        last = 0
        while True:
            query = sa.select(ledger).where(ledger.c.writer == writer, ledger.c.sequence > last)
            rows = connection.execute(query.order_by(ledger.c.sequence).limit(CHUNK)).all()
            if not rows:
                break
            last = rows[-1].sequence
            if found := [named for row in rows for named in _named(row)]:
                connection.execute(sa.insert(mention), found)


def _named(row: sa.Row[Any]) -> list[dict[str, object]]:
    texts = [text for text in (row.before, row.after) if text]
    found = {bytes.fromhex(n.replace("-", "")) for text in texts for n in NAMED.findall(text)}
    where = {"occurred_at": row.occurred_at, "writer": row.writer, "sequence": row.sequence}
    return [{"id": id, **where} for id in sorted(found - {row.actor_id, row.subject_id})]


def _numbers() -> None:
    op.create_table(
        "number_index",
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("subject_id", sa.LargeBinary, nullable=False),
        sa.Column("subject_kind", sa.Text, nullable=False),
        sa.Column("occurred_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("value", "subject_id", name="pk_number_index"),
        sqlite_strict=True,
    )
    op.create_index("ix_number_index_subject_id", "number_index", ["subject_id"])
    op.create_table(
        "number_gap",
        sa.Column("records_key_id", sa.LargeBinary, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("count", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("records_key_id", name="pk_number_gap"),
        sqlite_strict=True,
    )
