"""The table of sign-ins: who worked on which shared phone, from when to when, and why it ended.

A phone has at most one person signed in, and a person is signed in on at most one shared phone.
"""

from sqlalchemy import CheckConstraint, Column, Index, Text, text

from storage.models.columns import Identifier, Micros, strict_table

OPEN = text("ended_at IS NULL")

sign_in = strict_table(
    "sign_in",
    Column("id", Identifier, primary_key=True),
    Column("device_id", Identifier, nullable=False),
    Column("person_id", Identifier, nullable=False),
    Column("tenure_id", Identifier, nullable=False),
    Column("started_at", Micros, nullable=False),
    Column("ended_at", Micros),
    Column("reason", Text),
    CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),
    CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name="reason"),
    Index(
        "uq_sign_in_device_open", "device_id", unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    ),
    Index(
        "uq_sign_in_person_open", "person_id", unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    ),
)
"""`id` is that of the key holder's session."""
