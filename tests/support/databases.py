"""Fixtures for everything stored: `database` is a fresh, migrated database on each engine."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from storage import schema
from storage.config import database_url
from storage.database import Database
from tests.support import postgres

ENGINES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Urls:
    """The same database as the service sees it and as its owner does."""

    service: URL
    owner: URL

    @property
    def is_sqlite(self) -> bool:
        return self.service.get_backend_name() == "sqlite"


def sqlite_urls(path: Path) -> Urls:
    url = database_url(f"sqlite:///{path}")
    return Urls(url, url)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[postgres.Cluster]:
    with postgres.cluster() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    schema.upgrade(database_url(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=ENGINES)
def database_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Urls]:
    """A migrated database nobody has opened yet, on each engine."""
    if request.param == "sqlite":
        path = tmp_path / "pbx.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield sqlite_urls(path)
    else:
        server = request.getfixturevalue("postgres_cluster")
        with server.database() as name:
            yield Urls(server.url(postgres.SERVICE, name), server.url(postgres.OWNER, name))


@pytest.fixture
async def database(database_urls: Urls) -> AsyncIterator[Database]:
    """The database as the service opens it; every test that asks runs on both engines."""
    opened = await Database.open(database_urls.service)
    yield opened
    await opened.close()
