"""Sites have names that are found and a location for emergencies; phones stand at one."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("site", sa.Column("name_index", sa.LargeBinary))
    op.add_column("site", sa.Column("location_sealed", sa.LargeBinary))
    op.add_column("site", sa.Column("removed_at", WHOLE))
    op.create_index("ix_site_name_index", "site", ["name_index"], unique=True)
    # Alembic would add the reference by itself, which SQLite cannot.
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE device ADD COLUMN site_id BLOB REFERENCES site (id)")
    else:
        op.add_column("device", sa.Column("site_id", sa.LargeBinary))
        op.create_foreign_key("fk_device_site_id", "device", "site", ["site_id"], ["id"])
    version = sa.Column("version", WHOLE, nullable=False, server_default="1")
    op.add_column("shared_mailbox", version)
