"""From which addresses, and as which programs, each phone has registered: keyed hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "phone_place",
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("device_id", sa.LargeBinary, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("first_seen_at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("value", name="pk_phone_place"),
        sa.CheckConstraint("kind IN ('address', 'program')", name="kind"),
        sqlite_strict=True,
    )
    op.create_index("ix_phone_place_device_id", "phone_place", ["device_id"])
