"""Phones' SIP identities and presence; call records and their hourly keys."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}


def upgrade() -> None:
    _phones()
    _calls()


def _phones() -> None:
    op.create_table(
        "phone_identity",
        sa.Column("id", sa.LargeBinary, sa.ForeignKey("device.id"), primary_key=True),
        sa.Column("username", sa.Text, nullable=False, unique=True),
        sa.Column("algorithm", sa.Text, nullable=False),
        sa.Column("ha1_sealed", sa.LargeBinary),
        sa.Column("certificate", sa.Text, unique=True),
        sa.Column("has_used_sha256", WHOLE, nullable=False),
        sa.Column("answers_emergency", WHOLE, nullable=False),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.CheckConstraint("algorithm IN ('SHA-256', 'MD5')", name="algorithm"),
        **STRICT,
    )
    op.create_table(
        "phone_presence",
        sa.Column("id", sa.LargeBinary, sa.ForeignKey("device.id"), primary_key=True),
        sa.Column("first_seen_at", WHOLE, nullable=False),
        sa.Column("seen_at", WHOLE, nullable=False),
        sa.Column("registered_until", WHOLE, nullable=False),
        sa.Column("source_sealed", sa.LargeBinary, nullable=False),
        sa.Column("user_agent_sealed", sa.LargeBinary, nullable=False),
        **STRICT,
    )


def _calls() -> None:
    op.create_table(
        "records_key",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("sealed_to", sa.LargeBinary, nullable=False),
        **STRICT,
    )
    op.create_table(
        "call",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("started_at", WHOLE, nullable=False, index=True),
        sa.Column("answered_at", WHOLE),
        sa.Column("ended_at", WHOLE, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("is_emergency", WHOLE, nullable=False),
        sa.Column("caller_device_id", sa.LargeBinary, nullable=False),
        sa.Column("caller_person_id", sa.LargeBinary, index=True),
        sa.Column("callee_tenure_id", sa.LargeBinary, index=True),
        sa.Column("records_key_id", sa.LargeBinary, sa.ForeignKey("records_key.id")),
        sa.Column("parties_sealed", sa.LargeBinary),
        sa.CheckConstraint("ended_at >= started_at", name="order"),
        **STRICT,
    )
    op.create_table(
        "call_leg",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("call_id", sa.LargeBinary, sa.ForeignKey("call.id"), nullable=False, index=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("device_id", sa.LargeBinary, nullable=False),
        sa.Column("person_id", sa.LargeBinary),
        sa.Column("started_at", WHOLE, nullable=False),
        sa.Column("answered_at", WHOLE),
        sa.Column("ended_at", WHOLE, nullable=False),
        sa.Column("status", WHOLE, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
        sa.CheckConstraint("role IN ('caller', 'callee')", name="role"),
        **STRICT,
    )
