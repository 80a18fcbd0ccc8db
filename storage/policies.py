"""Policy values: named limits with a default each; a temporary value reverts by itself."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Stale, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.policies import policy_value as table
from storage.versions import change


@dataclass(frozen=True, slots=True)
class Policy:
    """What a value means, and the bounds it stays in."""

    name: str
    meaning: str
    default: int
    least: int
    most: int


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("idle-suspension-days", "unused accounts are suspended after", 35, 1, 35),
        Policy("session-limit", "sessions one person may have open", 5, 1, 20),
        Policy("exception-days", "days an exception may last", 90, 1, 365),
        Policy(
            "voicemail-retention-days", "days a message is kept after it was heard", 90, 1, 3650
        ),
        *(
            Policy(
                f"voicemail-retention-days-{role}", "the same for this role; 0: no own", 0, 0, 3650
            )
            for role in ("physician", "clinical-staff", "front-desk", "billing")
        ),
        *(
            Policy(
                f"sign-in-idle-minutes-{place}", "a shared phone there signs out after", 10, 5, 15
            )
            for place in ("lobby", "nurse-station", "exam-room", "private")
        ),
        *(
            Policy(
                f"signed-out-calls-{place}",
                "1: a shared phone there calls inside with nobody signed in",
                default,
                0,
                1,
            )
            for place, default in (
                ("lobby", 0),
                ("nurse-station", 1),
                ("exam-room", 0),
                ("private", 0),
            )
        ),
        Policy("review-days", "days within which a review item is signed off", 7, 1, 90),
        Policy("review-hours-from", "hour before which seeing content is flagged", 6, 0, 12),
        Policy("review-hours-until", "hour from which seeing content is flagged", 20, 12, 24),
        Policy("review-mailboxes-a-day", "mailboxes one person may open; 0: any", 5, 0, 1000),
        Policy("review-failures-an-hour", "refusals that are flagged; 0: none", 10, 0, 1000),
        Policy("review-phone-addresses", "1: a phone at an address new to it is flagged", 1, 0, 1),
        Policy("review-phone-programs", "1: so is one that says it is another program", 1, 0, 1),
        Policy("review-tickets", "1: a change without a ticket text is flagged", 1, 0, 1),
        Policy("review-samples-a-week", "rows chosen by chance for review", 5, 0, 100),
        Policy("voicemail-undelete-days", "days a deleted message can be brought back", 30, 1, 365),
        *(
            Policy(
                f"voicemail-login-{place}", "1: anybody may ask for their messages there", 0, 0, 1
            )
            for place in ("lobby", "nurse-station", "exam-room", "private")
        ),
        *(
            Policy(
                f"voicemail-second-factor-{place}",
                "1: who does so enters a code of their app as well",
                0,
                0,
                1,
            )
            for place in ("lobby", "nurse-station", "exam-room", "private")
        ),
        *(
            Policy(f"voicemail-number-{place}", "1: a caller's number is said there", default, 0, 1)
            for place, default in (
                ("lobby", 0),
                ("nurse-station", 0),
                ("exam-room", 0),
                ("private", 1),
            )
        ),
    )
}
"""All there are: a value outside its bounds weakens a promise and is refused."""


@dataclass(frozen=True, slots=True)
class PolicyValue:
    policy: Policy
    value: int
    until: int | None
    version: int
    """0 while nobody has changed the default."""


async def value_of(connection: AsyncConnection, name: str, now: int) -> int:
    """The value in force; a temporary one counts only until its end."""
    return _in_force(POLICIES[name], await _row(connection, name), now)


async def values(connection: AsyncConnection, now: int) -> dict[str, int]:
    """Every value in force, for whoever needs many at one look; opens nothing."""
    rows = {row.name: row for row in (await connection.execute(select(table))).all()}
    return {name: _in_force(policy, rows.get(name), now) for name, policy in POLICIES.items()}


async def all_values(unit: Unit, deed: Deed) -> list[PolicyValue]:
    rows = {row.name: row for row in (await unit.connection.execute(select(table))).all()}
    unit.record(deed.entry(Action.POLICY_LISTED, after={"count": len(POLICIES)}))
    return [_value(policy, rows.get(policy.name)) for policy in POLICIES.values()]


async def check(connection: AsyncConnection, name: str, version: int, value: int) -> Policy:
    """A known policy, a value within its bounds, and the version that is there."""
    policy = POLICIES.get(name)
    if policy is None:
        raise NotFound("policy")
    if not policy.least <= value <= policy.most:
        raise WrongState("policy", f"takes {policy.least} to {policy.most}")
    row = await _row(connection, name)
    if version != (0 if row is None else row.version):
        raise Stale("policy value")
    return policy


async def set_value(
    unit: Unit, deed: Deed, name: str, version: int, value: int, until: int | None, new: UUID
) -> None:
    """Changes a value for good, or until a moment at which the present one returns."""
    policy = await check(unit.connection, name, version, value)
    row = await _row(unit.connection, name)
    present = policy.default if row is None else row.value
    values = {
        "value": value,
        "changed_at": deed.at,
        "until": until,
        "reverts_to": None if until is None else _lasting(policy, row),
    }
    if row is None:
        await unit.connection.execute(insert(table).values(name=name, id=new, version=1, **values))
    else:
        await change(unit.connection, table, row.id, version, values)
    unit.record(
        deed.entry(
            Action.POLICY_CHANGED,
            Subject("policy_value", new if row is None else row.id),
            before={"name": name, "value": present},
            after={"name": name, "value": value, "until": until},
        )
    )


async def revert(unit: Unit, deed: Deed, name: str) -> None:
    """A temporary value has come to its end."""
    row = await _row(unit.connection, name)
    if row is None or row.until is None:
        raise WrongState("policy", "has no end")
    values = {"value": row.reverts_to, "until": None, "reverts_to": None, "changed_at": deed.at}
    await change(unit.connection, table, row.id, row.version, values)
    unit.record(
        deed.entry(
            Action.POLICY_CHANGED,
            Subject("policy_value", row.id),
            before={"name": name, "value": row.value, "until": row.until},
            after={"name": name, "value": row.reverts_to, "until": None},
        )
    )


async def expired(connection: AsyncConnection, now: int) -> list[str]:
    return list((await connection.scalars(select(table.c.name).where(table.c.until <= now))).all())


def _in_force(policy: Policy, row: Row[Any] | None, now: int) -> int:
    if row is None:
        return policy.default
    return int(row.reverts_to if row.until is not None and row.until <= now else row.value)


def _lasting(policy: Policy, row: Row[Any] | None) -> int:
    """What stands when nothing temporary does."""
    if row is None:
        return policy.default
    return int(row.value if row.until is None else row.reverts_to)


async def _row(connection: AsyncConnection, name: str) -> Row[Any] | None:
    return (await connection.execute(select(table).where(table.c.name == name))).one_or_none()


def _value(policy: Policy, row: Row[Any] | None) -> PolicyValue:
    if row is None:
        return PolicyValue(policy, policy.default, None, 0)
    return PolicyValue(policy, row.value, row.until, row.version)
