"""Whoever owns the exchange's database edits every table: no mailbox opens for a new reader.

The tables are found in the database, not listed here. Each is edited on its own and all together:
every identifier of the owner becomes the attacker's, whatever has ended goes on, nothing expires.
At the end the same attacker is let in by two people, which shows that the check can tell.
"""

import sqlite3
from pathlib import Path
from uuid import UUID

import pytest

from pbx.access.roles import Role
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.thief import message_in, opens

pytestmark = [pytest.mark.phoneless, pytest.mark.timeout(600)]

REVIVED = {"ended_at": None, "until": None, "closed_at": None, "expires_at": 2**52}
"""What an attacker writes where something has ended or will end."""


def tables(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return sorted(name for (name,) in found)


def edit(database: Path, table: str, swaps: dict[UUID, UUID]) -> int:
    """Everything in one table that could be about somebody; answers how many rows changed."""
    connection, changed = sqlite3.connect(database, isolation_level=None), 0
    connection.execute("PRAGMA foreign_keys = OFF")
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
    for (name,) in connection.execute(triggers, (table,)).fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    changes = [(f"{column} = ?", (new.bytes, old.bytes), f"{column} = ?")
        for column in columns
        for old, new in swaps.items()
    ]  # fmt: skip
    for column in columns:
        if column in REVIVED:
            changes.append((f"{column} = ?", (REVIVED[column],), "1"))  # type: ignore[arg-type]
        if column == "state":
            changes.append(("state = ?", ("active",), "1"))  # type: ignore[arg-type]
    for assignment, values, where in changes:
        try:
            done = connection.execute(
                f'UPDATE OR REPLACE "{table}" SET {assignment} WHERE {where}',  # noqa: S608
                values,
            )
        except sqlite3.Error:
            continue  # the table's own rules refuse even its owner
        changed += max(0, done.rowcount)
    connection.close()
    return changed


async def test_no_edit_of_any_table_makes_a_reader(clinic: Clinic) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    ben = await clinic.with_role("ben", Role.PHYSICIAN)
    number = await privileges.extension(clinic, ben)
    [former] = await privileges.held(clinic, await clinic.present(root), number)
    bens = await message_in(clinic, former)
    await clinic.present(manager)
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    await clinic.present(root)
    assert (await privileges.assign(clinic, root, number, anna, 2)).is_success
    [mailbox] = await privileges.held(clinic, root, number)
    annas = await message_in(clinic, mailbox)
    await clinic.present(manager)
    eve = await clinic.with_role("eve", Role.FRONT_DESK)
    shared = await privileges.share(clinic, await clinic.present(root), clinic.id(), "billing box")
    assert shared.is_success
    for who in (ben, eve, manager, root, anna):
        await clinic.sign_in(who)
    assert await opens(clinic, anna, annas), "the owner opens"
    before = {box.id: box for box in await clinic.plane.keyholder.mailboxes()}

    database = clinic.layout.database_file
    swaps = {anna.id: eve.id, mailbox: former, manager.id: eve.id}
    edited = {}
    for table in tables(database):
        edited[table] = edit(database, table, swaps)
        for who, message in (
            (eve, annas),
            (eve, bens),
            (ben, bens),
            (root, annas),
            (manager, annas),
        ):
            assert not await opens(clinic, who, message), (table, who.login)

    assert edited["tenure"] and edited["role_grant"] and edited["session"] and edited["person"]
    assert edited["ledger"], "the audit ledger too"
    clinic.plane.is_behind = True
    clinic.pass_(120)
    await clinic.lifecycle.tick()
    for who, message in ((eve, annas), (eve, bens), (ben, bens), (root, annas), (manager, annas)):
        assert not await opens(clinic, who, message), who.login
    after = {box.id: box for box in await clinic.plane.keyholder.mailboxes()}
    assert all(after[one].members == () for one in after)
    assert {one for one in after if after[one].closed is None} <= {
        one for one in before if before[one].closed is None
    }


async def test_the_same_attacker_let_in_by_two_people_opens_it(clinic: Clinic) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    number = await privileges.extension(clinic, anna)
    [mailbox] = await privileges.held(clinic, await clinic.present(root), number)
    message = await message_in(clinic, mailbox)
    await clinic.present(manager)
    eve = await clinic.with_role("eve", Role.FRONT_DESK)
    assert not await opens(clinic, eve, message)

    waits = await privileges.join(clinic, await clinic.present(root), mailbox, eve.id)
    assert not await opens(clinic, await clinic.present(eve), message)
    await clinic.approve(await clinic.present(manager), waits.json())

    assert await opens(clinic, await clinic.present(eve), message)
