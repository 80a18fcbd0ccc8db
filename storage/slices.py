"""Long results a few rows at a time: in between, the loop serves whoever waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection

SLICE = 100
"""Rows; opening two sealed fields of each takes about three milliseconds."""


async def slices(
    connection: AsyncConnection, query: Select[Any]
) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows of a query, in its order."""
    async with connection.stream(query) as result:
        async for rows in result.partitions(SLICE):
            yield rows
            await asyncio.sleep(0)
