"""How long messages are kept: after listening, by mailbox, by the owner's role, or by default.

Whoever brings a message back gives it that time again, from then on. A message that nobody has
heard is never due, nor is anything of a mailbox on legal hold. What is due is first hidden, and
destroyed when the time in which it can be brought back is over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import grants, greetings, holds, policies
from storage.keyholder.acts import Role
from storage.messages import MessageState
from storage.models.extensions import tenure
from storage.models.messages import message as table
from storage.models.people import role_grant

DAY = 86_400_000_000
DEFAULT_DAYS = "voicemail-retention-days"
UNDELETE_DAYS = "voicemail-undelete-days"
ROLES = (Role.PHYSICIAN, Role.CLINICAL_STAFF, Role.FRONT_DESK, Role.BILLING)
"""Those who may have messages."""


def policy_of(role: Role) -> str:
    """0 in it means: as everybody's."""
    return f"{DEFAULT_DAYS}-{role}"


@dataclass(frozen=True, slots=True)
class Due:
    """One message whose time has come, and by which rule."""

    message: UUID
    mailbox: UUID
    content: bytes
    rule: str
    deleted_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule in force at one moment."""

    default: int
    undelete: int
    by_role: Mapping[Role, int]
    by_mailbox: Mapping[UUID, int]
    roles_of_mailbox: Mapping[UUID, frozenset[Role]]
    held: frozenset[UUID]

    def days(self, mailbox: UUID) -> tuple[int, str]:
        """The days, and the rule's name; of several roles the one that keeps longest counts."""
        own = self.by_mailbox.get(mailbox)
        if own is not None:
            return own, f"{DEFAULT_DAYS} of the mailbox: {own}"
        roles = self.roles_of_mailbox.get(mailbox, frozenset())
        named = [(self.by_role[role], role) for role in roles if self.by_role.get(role)]
        if named:
            days, role = max(named)
            return days, f"{policy_of(role)}: {days}"
        return self.default, f"{DEFAULT_DAYS}: {self.default}"


async def rules(connection: AsyncConnection, now: int) -> Rules:
    by_role = {role: await policies.value_of(connection, policy_of(role), now) for role in ROLES}
    settings = await greetings.settings_of_all(connection)
    return Rules(
        default=await policies.value_of(connection, DEFAULT_DAYS, now),
        undelete=await policies.value_of(connection, UNDELETE_DAYS, now),
        by_role=by_role,
        by_mailbox={
            box: one.retention_days
            for box, one in settings.items()
            if one.retention_days is not None
        },
        roles_of_mailbox=await _roles(connection, now),
        held=await holds.held_mailboxes(connection),
    )


async def to_hide(connection: AsyncConnection, now: int) -> list[Due]:
    """Heard long enough ago; oldest first."""
    inforce = await rules(connection, now)
    query = (
        select(table)
        .where(table.c.state == MessageState.SAVED, table.c.heard_at.is_not(None))
        .order_by(table.c.heard_at)
    )
    found = []
    for row in (await connection.execute(query)).all():
        days, rule = inforce.days(row.mailbox_id)
        since = max(row.heard_at, row.state_at)
        if row.mailbox_id not in inforce.held and since + days * DAY <= now:
            found.append(Due(row.id, row.mailbox_id, row.content, rule))
    return found


async def to_destroy(connection: AsyncConnection, now: int) -> list[Due]:
    """Hidden long enough ago, and adopted: only what has a secret of its own can be destroyed."""
    inforce = await rules(connection, now)
    query = (
        select(table)
        .where(
            table.c.state == MessageState.DELETED,
            table.c.adopted_at.is_not(None),
            table.c.state_at <= now - inforce.undelete * DAY,
        )
        .order_by(table.c.state_at)
    )
    rule = f"{UNDELETE_DAYS}: {inforce.undelete}"
    return [
        Due(row.id, row.mailbox_id, row.content, rule, row.deleted_by)
        for row in (await connection.execute(query)).all()
        if row.mailbox_id not in inforce.held
    ]


async def _roles(connection: AsyncConnection, now: int) -> dict[UUID, frozenset[Role]]:
    """Roles of whoever a mailbox belongs to."""
    query = (
        select(tenure.c.mailbox_id, role_grant.c.role)
        .join(role_grant, role_grant.c.person_id == tenure.c.person_id)
        .where(grants.in_force(now))
    )
    found: dict[UUID, frozenset[Role]] = {}
    for row in (await connection.execute(query)).all():
        found[row.mailbox_id] = found.get(row.mailbox_id, frozenset()) | {Role(row.role)}
    return found
