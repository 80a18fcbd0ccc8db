"""Shared phones, and who is signed in on them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.add_column("device", sa.Column("is_shared", WHOLE, nullable=False, server_default="0"))
    op.create_table(
        "sign_in",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("device_id", sa.LargeBinary, nullable=False),
        sa.Column("person_id", sa.LargeBinary, nullable=False),
        sa.Column("tenure_id", sa.LargeBinary, nullable=False),
        sa.Column("started_at", WHOLE, nullable=False),
        sa.Column("ended_at", WHOLE),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in"),
        sa.CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),
        sa.CheckConstraint("(ended_at IS NULL) = (reason IS NULL)", name="reason"),
        sqlite_strict=True,
    )
    for column in ("device", "person"):
        op.create_index(
            f"uq_sign_in_{column}_open",
            "sign_in",
            [f"{column}_id"],
            unique=True,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        )
