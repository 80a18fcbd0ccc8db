"""The database as local commands see it: by the data directory's configuration, nobody asked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError, ProgrammingError

from pbx.cli.output import CommandError, Exit, initialised
from pbx.cli.remote import remote
from pbx.config import ConfigError, load
from pbx.paths import Layout
from storage.config import database_url
from storage.errors import SchemaNotCurrent, StorageError, StorageUnavailable


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Which database, under which roles."""

    layout: Layout
    service: URL
    owner: URL

    @property
    def service_role(self) -> str | None:
        return None if self.service == self.owner else self.service.username

    @classmethod
    def of(cls, data: Path | None) -> "LocalStore":
        if remote.get() is not None:
            raise CommandError(
                "This works on the exchange's own machine alone; leave --server out.", Exit.USAGE
            )
        layout = initialised(data)
        try:
            storage = load(layout.config_file).storage
        except ConfigError as error:
            raise CommandError(str(error), Exit.USAGE) from None
        os.environ["PGPASSFILE"] = str(layout.credentials / "pgpass")
        service = database_url(storage.url or f"sqlite:///{layout.database_file}")
        owner = database_url(storage.owner_url) if storage.owner_url else service
        return cls(layout, service, owner)


@contextmanager
def failures_as_sentences() -> Iterator[None]:
    """What storage raises, as one sentence and an exit code."""
    try:
        yield
    except SchemaNotCurrent as error:
        raise CommandError(f"{_capital(error)}.", Exit.REFUSED) from None
    except StorageUnavailable as error:
        raise CommandError(f"{_capital(error)}.", Exit.UNAVAILABLE) from None
    except StorageError as error:
        raise CommandError(f"{_capital(error)}.", Exit.REFUSED) from None
    except (OperationalError, ProgrammingError):
        raise CommandError(
            "The database is not whole: a table that belongs to it is missing or was altered. "
            "Keep a copy of it as evidence before anything is restored.",
            Exit.FOUND,
        ) from None


def _capital(error: StorageError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
