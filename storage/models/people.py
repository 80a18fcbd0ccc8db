"""Tables of people: organisation, site, person, role grant, session.

Names and free text are sealed per field under the directory key; equality is found through a keyed
blind index beside the sealed value (`*_index`). `version` counts changes of a row: whoever changes
it names the version they saw.
"""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, Text

from storage.models.columns import Identifier, Micros, Truth, Whole, strict_table

organisation = strict_table(
    "organisation",
    Column("id", Identifier, primary_key=True),
    Column("name_sealed", LargeBinary, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("version", Whole, nullable=False),
)

site = strict_table(
    "site",
    Column("id", Identifier, primary_key=True),
    Column("organisation_id", Identifier, ForeignKey("organisation.id"), nullable=False),
    Column("name_sealed", LargeBinary, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("version", Whole, nullable=False),
    Column("name_index", LargeBinary),
    Column("location_sealed", LargeBinary),
    Column("removed_at", Micros),
    Index("ix_site_name_index", "name_index", unique=True),
)

person = strict_table(
    "person",
    Column("id", Identifier, primary_key=True),
    Column("site_id", Identifier, ForeignKey("site.id")),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("login_sealed", LargeBinary, nullable=False),
    Column("login_index", LargeBinary, nullable=False, unique=True),
    Column("name_sealed", LargeBinary, nullable=False),
    Column("name_index", LargeBinary, nullable=False),
    Column("created_at", Micros, nullable=False),
    Column("enrolled_at", Micros),
    Column("active_at", Micros, nullable=False),
    Column("until", Micros),
    Column("ended_at", Micros),
    Column("version", Whole, nullable=False),
    CheckConstraint("state IN ('active', 'suspended', 'left')", name="state"),
)

role_grant = strict_table(
    "role_grant",
    Column("id", Identifier, primary_key=True),
    Column("person_id", Identifier, ForeignKey("person.id"), nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason_sealed", LargeBinary, nullable=False),
    Column("requested_by", Identifier, ForeignKey("person.id")),
    Column("requested_at", Micros, nullable=False),
    Column("approved_by", Identifier, ForeignKey("person.id")),
    Column("by_installation", Truth, nullable=False),
    Column("proposal", Identifier, unique=True),
    Column("starts_at", Micros),
    Column("until", Micros),
    Column("ended_at", Micros),
    Column("version", Whole, nullable=False),
    CheckConstraint("state IN ('pending', 'active', 'refused', 'ended')", name="state"),
    CheckConstraint(
        "approved_by IS NULL OR (approved_by <> person_id AND approved_by <> requested_by)",
        name="second_person",
    ),
    Index("ix_role_grant_person_id", "person_id"),
)

session = strict_table(
    "session",
    Column("id", Identifier, primary_key=True),
    Column("person_id", Identifier, ForeignKey("person.id"), nullable=False),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    Column("os_uid", Whole, nullable=False),
    Column("started_at", Micros, nullable=False),
    Column("seen_at", Micros, nullable=False),
    Column("ended_at", Micros),
    Column("end_reason", Text),
    Column("certificate", Text, nullable=False, server_default=""),
    Index("ix_session_person_id", "person_id"),
)
