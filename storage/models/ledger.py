"""The ledger's tables (appended to, never changed): rows, heads, segments, anchors, mentions.

They have no rowid on SQLite: a rowid is a second key by which INSERT OR REPLACE could remove a row.
Questions about people, things, acts and times each have an index that ends in the time.
"""

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, Text, text

from storage.models.columns import Identifier, Micros, Whole, strict_table

ledger = strict_table(
    "ledger",
    Column("writer", Text, primary_key=True),
    Column("sequence", Whole, primary_key=True, autoincrement=False),
    Column("occurred_at", Micros, nullable=False),
    Column("recorded_at", Micros, nullable=False, index=True),
    Column("operation", Identifier, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Identifier),
    Column("session_id", Identifier),
    Column("subject_kind", Text),
    Column("subject_id", Identifier),
    Column("before", Text),
    Column("after", Text),
    Column("detail", LargeBinary),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("sequence > 0", name="sequence"),
    CheckConstraint("length(hash) = 32", name="hash"),
    Index("ix_ledger_occurred_at", "occurred_at"),
    Index("ix_ledger_actor_id", "actor_id", "occurred_at"),
    Index("ix_ledger_subject_id", "subject_id", "occurred_at"),
    Index("ix_ledger_action", "action", "occurred_at"),
    Index(
        "ix_ledger_outcome",
        "outcome",
        "occurred_at",
        sqlite_where=text("outcome <> 'done'"),
        postgresql_where=text("outcome <> 'done'"),
    ),
    with_rowid=False,
)

ledger_mention = strict_table(
    "ledger_mention",
    Column("id", Identifier, primary_key=True),
    Column("occurred_at", Micros, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("sequence", Whole, primary_key=True, autoincrement=False),
    with_rowid=False,
)
"""Where `before` and `after` of a row name somebody or something: an index, no part of a chain."""

ledger_head = strict_table(
    "ledger_head",
    Column("writer", Text, primary_key=True),
    Column("number", Whole, primary_key=True, autoincrement=False),
    Column("sequence", Whole, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("made_at", Micros, nullable=False),
    Column("journal_sequence", Whole),
    Column("journal", LargeBinary),
    Column("signature", LargeBinary),
    with_rowid=False,
)

ledger_segment = strict_table(
    "ledger_segment",
    Column("writer", Text, primary_key=True),
    Column("month", Whole, primary_key=True, autoincrement=False),
    Column("first", Whole, nullable=False),
    Column("last", Whole, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("made_at", Micros, nullable=False),
    with_rowid=False,
)

ledger_departure = strict_table(
    "ledger_departure",
    Column("writer", Text, primary_key=True),
    Column("month", Whole, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    Column("moved_at", Micros, nullable=False),
    with_rowid=False,
)

ledger_anchor = strict_table(
    "ledger_anchor",
    Column("made_at", Micros, primary_key=True, autoincrement=False),
    Column("place", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    with_rowid=False,
)

APPEND_ONLY = (
    ledger, ledger_mention, ledger_head, ledger_segment, ledger_departure, ledger_anchor,
)  # fmt: skip
"""Tables that the service's account may read and append to, and nothing else."""
