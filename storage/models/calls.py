"""Tables of calls: call, leg, and the hourly keys that seal who spoke with whom.

`parties_sealed` holds the numbers and names of a call under the key of the hour it began in; the
key itself is kept sealed to the key holder's records key, so that a stolen database shows when
phones talked and how it was protected, and not who called whom.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Text

from storage.models.columns import Identifier, Micros, Truth, Whole, strict_table

records_key = strict_table(
    "records_key",
    Column("id", Identifier, primary_key=True),
    Column("made_at", Micros, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_to", Identifier, nullable=False),
)

call = strict_table(
    "call",
    Column("id", Identifier, primary_key=True),
    Column("started_at", Micros, nullable=False, index=True),
    Column("answered_at", Micros),
    Column("ended_at", Micros, nullable=False),
    Column("route", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("is_emergency", Truth, nullable=False),
    Column("caller_device_id", Identifier, nullable=False),
    Column("caller_person_id", Identifier),
    Column("callee_tenure_id", Identifier),
    Column("records_key_id", Identifier, ForeignKey("records_key.id")),
    Column("parties_sealed", LargeBinary),
    CheckConstraint("ended_at >= started_at", name="order"),
    Index("ix_call_caller_person_id", "caller_person_id"),
    Index("ix_call_callee_tenure_id", "callee_tenure_id"),
    Index("ix_call_records_key_id", "records_key_id"),
)

call_leg = strict_table(
    "call_leg",
    Column("id", Identifier, primary_key=True),
    Column("call_id", Identifier, ForeignKey("call.id"), nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("device_id", Identifier, nullable=False),
    Column("person_id", Identifier),
    Column("started_at", Micros, nullable=False),
    Column("answered_at", Micros),
    Column("ended_at", Micros, nullable=False),
    Column("status", Whole, nullable=False),
    Column("receipt", Text, nullable=False),
    CheckConstraint("role IN ('caller', 'callee')", name="role"),
)
