"""Voicemail: messages, greetings, settings of mailboxes, legal holds; lamps of phones."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}


def upgrade() -> None:
    _messages()
    _greetings()
    _holds()
    op.add_column(
        "phone_identity", sa.Column("shows_lamp", WHOLE, nullable=False, server_default="1")
    )


def _messages() -> None:
    op.create_table(
        "message",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("mailbox_id", sa.LargeBinary, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("codec", sa.Text, nullable=False),
        sa.Column("milliseconds", WHOLE, nullable=False),
        sa.Column("octets", WHOLE, nullable=False),
        sa.Column("segments", WHOLE, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("is_complete", WHOLE, nullable=False),
        sa.Column("is_urgent", WHOLE, nullable=False),
        sa.Column("is_private", WHOLE, nullable=False),
        sa.Column("deposit_key_id", sa.LargeBinary, nullable=False),
        sa.Column("slot", sa.LargeBinary),
        sa.Column("adopted_at", WHOLE),
        sa.Column("received_at", WHOLE, nullable=False),
        sa.Column("recorded_at", WHOLE, nullable=False),
        sa.Column("call_id", sa.LargeBinary),
        sa.Column("forwarded_from", sa.LargeBinary),
        sa.Column("records_key_id", sa.LargeBinary, sa.ForeignKey("records_key.id")),
        sa.Column("caller_sealed", sa.LargeBinary),
        sa.Column("heard_at", WHOLE),
        sa.Column("state_at", WHOLE, nullable=False),
        sa.Column("deleted_by", sa.LargeBinary),
        sa.Column("certificate", sa.Text),
        sa.CheckConstraint("state IN ('new', 'saved', 'deleted', 'destroyed')", name="state"),
        **STRICT,
    )
    op.create_index("ix_message_mailbox_id", "message", ["mailbox_id", "state"])


def _greetings() -> None:
    op.create_table(
        "greeting",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("mailbox_id", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("codec", sa.Text, nullable=False),
        sa.Column("milliseconds", WHOLE, nullable=False),
        sa.Column("segments", WHOLE, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.CheckConstraint("kind IN ('personal', 'name')", name="kind"),
        **STRICT,
    )
    op.create_index("uq_greeting_kind", "greeting", ["mailbox_id", "kind"], unique=True)
    op.create_table(
        "mailbox_setting",
        sa.Column("mailbox_id", sa.LargeBinary, primary_key=True),
        sa.Column("greeting", sa.Text, nullable=False),
        sa.Column("retention_days", WHOLE),
        sa.Column("changed_at", WHOLE, nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.CheckConstraint("greeting IN ('standard', 'name', 'personal')", name="greeting"),
        **STRICT,
    )


def _holds() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("mailbox_id", sa.LargeBinary, nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary, nullable=False),
        sa.Column("placed_by", sa.LargeBinary, nullable=False),
        sa.Column("placed_at", WHOLE, nullable=False),
        sa.Column("released_at", WHOLE),
        **STRICT,
    )
    op.create_index("ix_legal_hold_mailbox_id", "legal_hold", ["mailbox_id"])
