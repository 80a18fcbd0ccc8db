"""Scenarios run on SQLite, whose one writer is the harder case for calls; the stores' own tests
run on both engines."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database
from tests.support.databases import sqlite_urls
from tests.support.exchange import TestExchange


@pytest.fixture
async def database(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Database]:
    path = tmp_path / "pbx.db"
    shutil.copy(sqlite_template, path)
    opened = await Database.open(sqlite_urls(path).service)
    yield opened
    await opened.close()


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[TestExchange]:
    """With extensions 1001 (phone alice) and 1002 (phone bob)."""
    async with TestExchange(open_path / "x", database, ring_seconds=5) as running:
        await running.enrol("1001", "alice")
        await running.enrol("1002", "bob")
        yield running
