"""What shared mailboxes are called."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "shared_mailbox",
        sa.Column("id", sa.LargeBinary, primary_key=True),
        sa.Column("label_sealed", sa.LargeBinary, nullable=False),
        sa.Column("label_index", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_at", WHOLE, nullable=False),
        sqlite_strict=True,
    )
