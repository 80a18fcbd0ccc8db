"""An exchange without media workers: lamps need none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.support.calling import database
from tests.support.exchange import TestExchange

__all__ = ["database", "exchange"]


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[TestExchange]:
    """With extensions 1001 (phone alice) and 1002 (phone bob)."""
    async with TestExchange(open_path, database, workers=0) as running:
        await running.enrol("1001", "alice")
        await running.enrol("1002", "bob")
        yield running
