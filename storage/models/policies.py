"""Tables of rules: policy value and exception. Both may carry an end that works by itself."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Text

from storage.models.columns import Identifier, Micros, Whole, strict_table

policy_value = strict_table(
    "policy_value",
    Column("name", Text, primary_key=True),
    Column("id", Identifier, nullable=False, unique=True),
    Column("value", Whole, nullable=False),
    Column("changed_at", Micros, nullable=False),
    Column("until", Micros),
    Column("reverts_to", Whole),
    Column("version", Whole, nullable=False),
)

exception = strict_table(
    "exception",
    Column("id", Identifier, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Identifier, nullable=False),
    Column("owner_id", Identifier, ForeignKey("person.id"), nullable=False),
    Column("reason_sealed", LargeBinary, nullable=False),
    Column("granted_at", Micros, nullable=False),
    Column("expires_at", Micros, nullable=False),
    Column("closed_at", Micros),
    Column("version", Whole, nullable=False),
    CheckConstraint("expires_at > granted_at", name="order"),
    Index("ix_exception_subject_id", "subject_id"),
)
