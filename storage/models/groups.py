"""Tables of ring groups. A group has the identifier of the extension whose number is its own.

Every state that a group was in is kept, so that undo can bring it back; `state_id` is the one that
counts now, or NULL for a group that is no more.
"""

from sqlalchemy import Column, ForeignKey, Index, LargeBinary

from storage.models.columns import Identifier, Micros, Whole, strict_table

ring_group = strict_table(
    "ring_group",
    Column("id", Identifier, ForeignKey("extension.id"), primary_key=True),
    Column("state_id", Identifier),
    Column("version", Whole, nullable=False),
)

ring_group_state = strict_table(
    "ring_group_state",
    Column("id", Identifier, primary_key=True),
    Column("group_id", Identifier, ForeignKey("ring_group.id"), nullable=False),
    Column("settings_sealed", LargeBinary, nullable=False),
    Column("made_at", Micros, nullable=False),
    Index("ix_ring_group_state_group_id", "group_id"),
)
