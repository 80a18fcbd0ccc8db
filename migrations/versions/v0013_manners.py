"""How a phone describes its media, as it was last heard to or as somebody has said."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("phone_identity", sa.Column("manner", sa.Text))
