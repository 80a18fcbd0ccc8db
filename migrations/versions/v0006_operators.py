"""Sessions that were opened with an operator's certificate."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("certificate", sa.Text, nullable=False, server_default="")
    op.add_column("session", column)
