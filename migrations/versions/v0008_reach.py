"""How somebody is reached: do-not-disturb and forwards of a tenure, as one sealed value."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reach",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("settings_sealed", sa.LargeBinary, nullable=False),
        sa.Column("version", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reach"),
        sa.ForeignKeyConstraint(["id"], ["tenure.id"], name="fk_reach_id"),
        sqlite_strict=True,
    )
