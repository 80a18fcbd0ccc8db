"""The ledger and what proves it: rows, heads, segments, departures, anchors, and their guards."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    _ledger()
    _heads()
    _segments()
    op.create_table(
        "ledger_anchor",
        sa.Column("made_at", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        **STRICT,
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table, key in GUARDED.items():
        for statement in _sqlite_guards(table, key) if sqlite else _postgres_guards(table):
            op.execute(statement)


GUARDED = {
    "ledger": "writer = NEW.writer AND sequence >= NEW.sequence",
    "ledger_head": "writer = NEW.writer AND number >= NEW.number",
    "ledger_segment": "writer = NEW.writer AND month >= NEW.month",
    "ledger_departure": "writer = NEW.writer AND month = NEW.month",
    "ledger_anchor": "made_at = NEW.made_at",
}
"""Append-only tables, and the rows that stand in the way of a new one."""


def _sqlite_guards(table: str, taken: str) -> list[str]:
    refuse = "SELECT RAISE(ABORT, 'the ledger is append-only')"
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} BEGIN {refuse}; END",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN {refuse}; END",
        # INSERT OR REPLACE removes the old row without firing the delete trigger.
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (FROM {table} WHERE {taken}) BEGIN {refuse}; END".replace(
            "EXISTS (", "EXISTS (SELECT 1 "
        ),
    ]


def _postgres_guards(table: str) -> list[str]:
    function = (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = '42501'; END $$"
    )
    return [
        function,
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    ]


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("sequence", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("occurred_at", WHOLE, nullable=False),
        sa.Column("recorded_at", WHOLE, nullable=False),
        sa.Column("operation", sa.LargeBinary, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.LargeBinary),
        sa.Column("session_id", sa.LargeBinary),
        sa.Column("subject_kind", sa.Text),
        sa.Column("subject_id", sa.LargeBinary),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.Column("detail", sa.LargeBinary),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.CheckConstraint("sequence > 0", name="sequence"),
        sa.CheckConstraint("length(hash) = 32", name="hash"),
        **STRICT,
    )
    op.create_index("ix_ledger_subject_id", "ledger", ["subject_id"])
    op.create_index("ix_ledger_recorded_at", "ledger", ["recorded_at"])


def _heads() -> None:
    op.create_table(
        "ledger_head",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("number", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("sequence", WHOLE, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("journal_sequence", WHOLE),
        sa.Column("journal", sa.LargeBinary),
        sa.Column("signature", sa.LargeBinary),
        **STRICT,
    )


def _segments() -> None:
    op.create_table(
        "ledger_segment",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("month", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("first", WHOLE, nullable=False),
        sa.Column("last", WHOLE, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        **STRICT,
    )
    op.create_table(
        "ledger_departure",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("month", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("moved_at", WHOLE, nullable=False),
        **STRICT,
    )
