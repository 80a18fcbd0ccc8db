"""Tables of phones and numbers: extension, tenure, reach, device.

A tenure is one person's time on one extension, with a mailbox and keys of its own; the next holder
begins an empty one. At most one tenure of an extension is open.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Text, text

from storage.models.columns import Identifier, Micros, Truth, Whole, strict_table

extension = strict_table(
    "extension",
    Column("id", Identifier, primary_key=True),
    Column("number_sealed", LargeBinary, nullable=False),
    Column("number_index", LargeBinary, nullable=False, unique=True),
    Column("created_at", Micros, nullable=False),
    Column("version", Whole, nullable=False),
)

tenure = strict_table(
    "tenure",
    Column("id", Identifier, primary_key=True),
    Column("extension_id", Identifier, ForeignKey("extension.id"), nullable=False),
    Column("person_id", Identifier, ForeignKey("person.id"), nullable=False),
    Column("mailbox_id", Identifier, nullable=False, unique=True),
    Column("started_at", Micros, nullable=False),
    Column("until", Micros),
    Column("ended_at", Micros),
    Column("follows", Identifier, ForeignKey("tenure.id")),
    CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),
    Index("ix_tenure_person_id", "person_id"),
    Index(
        "uq_tenure_open",
        "extension_id",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

reach = strict_table(
    "reach",
    Column("id", Identifier, ForeignKey("tenure.id"), primary_key=True),
    Column("settings_sealed", LargeBinary, nullable=False),
    Column("version", Whole, nullable=False),
)
"""Of a tenure, whose identifier it has."""

device = strict_table(
    "device",
    Column("id", Identifier, primary_key=True),
    Column("label_sealed", LargeBinary, nullable=False),
    Column("label_index", LargeBinary, nullable=False, unique=True),
    Column("place", Text, nullable=False),
    Column("extension_id", Identifier, ForeignKey("extension.id")),
    Column("created_at", Micros, nullable=False),
    Column("removed_at", Micros),
    Column("version", Whole, nullable=False),
    Column("site_id", Identifier, ForeignKey("site.id")),
    Column("is_shared", Truth, nullable=False, server_default="0"),
    CheckConstraint("place IN ('lobby', 'nurse-station', 'exam-room', 'private')", name="place"),
    Index("ix_device_extension_id", "extension_id"),
)
