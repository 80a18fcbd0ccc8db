"""People, grants, sessions, extensions, tenures, devices, policy values and exceptions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STRICT = {"sqlite_strict": True}


def upgrade() -> None:
    _organisation()
    _people()
    _extensions()
    _rules()


def _id() -> sa.Column[bytes]:
    return sa.Column("id", sa.LargeBinary, primary_key=True)


def _sealed(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False)


def _at(name: str, *, always: bool = False) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=not always)


def _to(name: str, target: str, *, always: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, sa.ForeignKey(f"{target}.id"), nullable=not always)


def _word(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _organisation() -> None:
    op.create_table(
        "organisation",
        _id(),
        _sealed("name_sealed"),
        _at("created_at", always=True),
        _at("version", always=True),
        **STRICT,
    )
    op.create_table(
        "site",
        _id(),
        _to("organisation_id", "organisation", always=True),
        _sealed("name_sealed"),
        _at("created_at", always=True),
        _at("version", always=True),
        **STRICT,
    )


def _people() -> None:
    op.create_table(
        "person",
        _id(),
        _to("site_id", "site"),
        _word("kind"),
        _word("state"),
        _sealed("login_sealed"),
        sa.Column("login_index", sa.LargeBinary, nullable=False, unique=True),
        _sealed("name_sealed"),
        _sealed("name_index"),
        _at("created_at", always=True),
        _at("enrolled_at"),
        _at("active_at", always=True),
        _at("until"),
        _at("ended_at"),
        _at("version", always=True),
        sa.CheckConstraint("state IN ('active', 'suspended', 'left')", name="state"),
        **STRICT,
    )
    op.create_table(
        "role_grant",
        _id(),
        _to("person_id", "person", always=True),
        _word("role"),
        _word("state"),
        _sealed("reason_sealed"),
        _to("requested_by", "person"),
        _at("requested_at", always=True),
        _to("approved_by", "person"),
        _at("by_installation", always=True),
        sa.Column("proposal", sa.LargeBinary, unique=True),
        _at("starts_at"),
        _at("until"),
        _at("ended_at"),
        _at("version", always=True),
        sa.CheckConstraint("state IN ('pending', 'active', 'refused', 'ended')", name="state"),
        sa.CheckConstraint(
            "approved_by IS NULL OR (approved_by <> person_id AND approved_by <> requested_by)",
            name="second_person",
        ),
        **STRICT,
    )
    op.create_index("ix_role_grant_person_id", "role_grant", ["person_id"])
    op.create_table(
        "session",
        _id(),
        _to("person_id", "person", always=True),
        sa.Column("token_digest", sa.LargeBinary, nullable=False, unique=True),
        _at("os_uid", always=True),
        _at("started_at", always=True),
        _at("seen_at", always=True),
        _at("ended_at"),
        sa.Column("end_reason", sa.Text),
        **STRICT,
    )
    op.create_index("ix_session_person_id", "session", ["person_id"])


def _extensions() -> None:
    op.create_table(
        "extension",
        _id(),
        _sealed("number_sealed"),
        sa.Column("number_index", sa.LargeBinary, nullable=False, unique=True),
        _at("created_at", always=True),
        _at("version", always=True),
        **STRICT,
    )
    op.create_table(
        "tenure",
        _id(),
        _to("extension_id", "extension", always=True),
        _to("person_id", "person", always=True),
        sa.Column("mailbox_id", sa.LargeBinary, nullable=False, unique=True),
        _at("started_at", always=True),
        _at("until"),
        _at("ended_at"),
        _to("follows", "tenure"),
        sa.CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),
        **STRICT,
    )
    op.create_index("ix_tenure_person_id", "tenure", ["person_id"])
    is_open = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_tenure_open",
        "tenure",
        ["extension_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_table(
        "device",
        _id(),
        _sealed("label_sealed"),
        sa.Column("label_index", sa.LargeBinary, nullable=False, unique=True),
        _word("place"),
        _to("extension_id", "extension"),
        _at("created_at", always=True),
        _at("removed_at"),
        _at("version", always=True),
        sa.CheckConstraint(
            "place IN ('lobby', 'nurse-station', 'exam-room', 'private')", name="place"
        ),
        **STRICT,
    )
    op.create_index("ix_device_extension_id", "device", ["extension_id"])


def _rules() -> None:
    op.create_table(
        "policy_value",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("id", sa.LargeBinary, nullable=False, unique=True),
        _at("value", always=True),
        _at("changed_at", always=True),
        _at("until"),
        _at("reverts_to"),
        _at("version", always=True),
        **STRICT,
    )
    op.create_table(
        "exception",
        _id(),
        _word("kind"),
        _word("subject_kind"),
        sa.Column("subject_id", sa.LargeBinary, nullable=False),
        _to("owner_id", "person", always=True),
        _sealed("reason_sealed"),
        _at("granted_at", always=True),
        _at("expires_at", always=True),
        _at("closed_at"),
        _at("version", always=True),
        sa.CheckConstraint("expires_at > granted_at", name="order"),
        **STRICT,
    )
    op.create_index("ix_exception_subject_id", "exception", ["subject_id"])
