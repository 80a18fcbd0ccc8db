"""Optimistic locking: a change names the version it saw, and loses to whoever was first."""

from typing import Any
from uuid import UUID

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, Stale


async def change(
    connection: AsyncConnection, table: Table, row: UUID, version: int, values: dict[str, Any]
) -> None:
    """Changes one row that is still at `version`; else says whether it is gone or was changed."""
    result = await connection.execute(
        update(table)
        .where(table.c.id == row, table.c.version == version)
        .values(**values, version=version + 1)
    )
    if result.rowcount == 1:
        return
    found = await connection.scalar(select(table.c.version).where(table.c.id == row))
    kind = table.name.replace("_", " ")
    raise NotFound(kind) if found is None else Stale(kind)
