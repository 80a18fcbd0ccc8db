"""Tables of phones' SIP identities and of where they were last seen."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, LargeBinary, Text

from storage.models.columns import Identifier, Micros, Truth, Whole, strict_table

phone_identity = strict_table(
    "phone_identity",
    Column("id", Identifier, ForeignKey("device.id"), primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("algorithm", Text, nullable=False),
    Column("ha1_sealed", LargeBinary),
    Column("certificate", Text, unique=True),
    Column("has_used_sha256", Truth, nullable=False),
    Column("answers_emergency", Truth, nullable=False),
    Column("shows_lamp", Truth, nullable=False, server_default="1"),
    Column("manner", Text),
    Column("changed_at", Micros, nullable=False),
    Column("version", Whole, nullable=False),
    CheckConstraint("algorithm IN ('SHA-256', 'MD5')", name="algorithm"),
)

phone_presence = strict_table(
    "phone_presence",
    Column("id", Identifier, ForeignKey("device.id"), primary_key=True),
    Column("first_seen_at", Micros, nullable=False),
    Column("seen_at", Micros, nullable=False),
    Column("registered_until", Micros, nullable=False),
    Column("source_sealed", LargeBinary, nullable=False),
    Column("user_agent_sealed", LargeBinary, nullable=False),
)
