"""Tables of phones' SIP identities, of where they were last seen, and of where ever."""

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

phone_place = strict_table(
    "phone_place",
    Column("value", LargeBinary, primary_key=True),
    Column("device_id", Identifier, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("first_seen_at", Micros, nullable=False),
    CheckConstraint("kind IN ('address', 'program')", name="kind"),
)
"""A keyed hash of a phone with an address, or with what it says it is: compared, never shown."""
