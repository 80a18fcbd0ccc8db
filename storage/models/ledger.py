"""The ledger's tables (appended to, never changed): rows, heads, segments, anchors.

They have no rowid on SQLite: a rowid is a second key by which INSERT OR REPLACE could remove a row.
"""

from sqlalchemy import CheckConstraint, Column, LargeBinary, Text

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
    Column("subject_id", Identifier, index=True),
    Column("before", Text),
    Column("after", Text),
    Column("detail", LargeBinary),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("sequence > 0", name="sequence"),
    CheckConstraint("length(hash) = 32", name="hash"),
    with_rowid=False,
)

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

APPEND_ONLY = (ledger, ledger_head, ledger_segment, ledger_departure, ledger_anchor)
"""Tables that the service's account may read and append to, and nothing else."""
