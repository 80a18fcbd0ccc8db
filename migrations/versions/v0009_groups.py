"""Ring groups: a number, and its settings, each state of which is kept for undo."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ring_group",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("state_id", sa.LargeBinary),
        sa.Column("version", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ring_group"),
        sa.ForeignKeyConstraint(["id"], ["extension.id"], name="fk_ring_group_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "ring_group_state",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("group_id", sa.LargeBinary, nullable=False),
        sa.Column("settings_sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ring_group_state"),
        sa.ForeignKeyConstraint(
            ["group_id"], ["ring_group.id"], name="fk_ring_group_state_group_id"
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_ring_group_state_group_id", "ring_group_state", ["group_id"])
