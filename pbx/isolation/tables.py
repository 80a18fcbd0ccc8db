"""What is stored: every table of the schema that hangs on a tenure or a mailbox.

The list is the schema's own. Nothing that the former holder left may stand under the new one's
tenure or mailbox; a table in which the rehearsal left nothing cannot be told.
"""

from __future__ import annotations

from sqlalchemy import Column, Table, func, select

import storage.models  # noqa: F401 - knows all tables
from pbx.isolation.finding import Finding, judged, unknown
from pbx.isolation.scene import Scene
from storage.models.columns import metadata
from storage.models.extensions import tenure
from storage.tenures import Tenure


def bound_to_a_tenure() -> list[tuple[Table, Column[object]]]:
    """Each table with the column that says whose it is, but for tenures themselves."""
    found = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            is_reference = any(key.column.table is tenure for key in column.foreign_keys)
            if table is not tenure and (
                column.name.endswith(("mailbox_id", "tenure_id")) or is_reference
            ):
                found.append((table, column))
    return found


async def findings(scene: Scene) -> list[Finding]:
    """One for each table, and one for tenures."""
    return [
        _apart(scene),
        *[await _judge(table, column, scene) for table, column in bound_to_a_tenure()],
    ]


def _apart(scene: Scene) -> Finding:
    old, new = scene.old, scene.new
    leak = ""
    if old.mailbox == new.mailbox or old.id == new.id:
        leak = "the new holder has the former one's mailbox"
    elif old.ended_at is None:
        leak = "the former holder's tenure goes on"
    return judged("table tenure", leak, "a tenure and a mailbox of its own; the former one is over")


async def _judge(table: Table, column: Column[object], scene: Scene) -> Finding:
    path = f"table {table.name}"
    left = await _rows(table, column, scene, scene.old)
    come = await _rows(table, column, scene, scene.new)
    if come:
        return judged(path, f"{come} rows of the former holder are the new one's", "")
    if not left:
        return unknown(path, "the rehearsal left nothing there")
    return judged(path, "", f"{left} rows stay with the former holder, 0 come to the new one")


async def _rows(table: Table, column: Column[object], scene: Scene, whose: Tenure) -> int:
    id = whose.mailbox if column.name.endswith("mailbox_id") else whose.id
    query = select(func.count()).select_from(table).where(column == id)
    return await scene.connection.scalar(query) or 0
