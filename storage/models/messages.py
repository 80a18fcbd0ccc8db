"""Tables of voicemail: message, greeting, what is set for a mailbox, and legal holds.

A message's sound is a sealed file named by `content`; what opens it is `slot`, which only the key
holder can use. `caller_sealed` is under the records key of the hour, as the parties of a call are.
A destroyed message keeps its row: identifiers, times and the certificate of destruction.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Text

from storage.models.columns import Identifier, Micros, Truth, Whole, strict_table

message = strict_table(
    "message",
    Column("id", Identifier, primary_key=True),
    Column("mailbox_id", Identifier, nullable=False),
    Column("content", LargeBinary, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("codec", Text, nullable=False),
    Column("milliseconds", Whole, nullable=False),
    Column("octets", Whole, nullable=False),
    Column("segments", Whole, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("is_complete", Truth, nullable=False),
    Column("is_urgent", Truth, nullable=False),
    Column("is_private", Truth, nullable=False),
    Column("deposit_key_id", Identifier, nullable=False),
    Column("slot", LargeBinary),
    Column("adopted_at", Micros),
    Column("received_at", Micros, nullable=False),
    Column("recorded_at", Micros, nullable=False),
    Column("call_id", Identifier),
    Column("forwarded_from", Identifier),
    Column("records_key_id", Identifier, ForeignKey("records_key.id")),
    Column("caller_sealed", LargeBinary),
    Column("heard_at", Micros),
    Column("state_at", Micros, nullable=False),
    Column("deleted_by", Identifier),
    Column("certificate", Text),
    CheckConstraint("state IN ('new', 'saved', 'deleted', 'destroyed')", name="state"),
    Index("ix_message_mailbox_id", "mailbox_id", "state"),
    Index("ix_message_records_key_id", "records_key_id"),
)

greeting = strict_table(
    "greeting",
    Column("id", Identifier, primary_key=True),
    Column("mailbox_id", Identifier, nullable=False),
    Column("kind", Text, nullable=False),
    Column("content", LargeBinary, nullable=False, unique=True),
    Column("codec", Text, nullable=False),
    Column("milliseconds", Whole, nullable=False),
    Column("segments", Whole, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("made_at", Micros, nullable=False),
    CheckConstraint("kind IN ('personal', 'name')", name="kind"),
    Index("uq_greeting_kind", "mailbox_id", "kind", unique=True),
)

mailbox_setting = strict_table(
    "mailbox_setting",
    Column("mailbox_id", Identifier, primary_key=True),
    Column("greeting", Text, nullable=False),
    Column("retention_days", Whole),
    Column("changed_at", Micros, nullable=False),
    Column("version", Whole, nullable=False),
    CheckConstraint("greeting IN ('standard', 'name', 'personal')", name="greeting"),
)

legal_hold = strict_table(
    "legal_hold",
    Column("id", Identifier, primary_key=True),
    Column("mailbox_id", Identifier, nullable=False),
    Column("reason_sealed", LargeBinary, nullable=False),
    Column("placed_by", Identifier, nullable=False),
    Column("placed_at", Micros, nullable=False),
    Column("released_at", Micros),
    Index("ix_legal_hold_mailbox_id", "mailbox_id"),
)
