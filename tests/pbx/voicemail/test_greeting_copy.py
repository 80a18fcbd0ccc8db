"""What callers hear is known at a start without the database, from a sealed copy."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from pbx.voicemail.greeting_copy import GreetingCopy, Spoken
from pbx.voicemail.greeting_file import GreetingFile, Kept
from storage import greetings
from storage.database import Database
from storage.greetings import Greeting, GreetingChoice, GreetingKind
from storage.sealed.primitives import OpenError
from tests.support.stores import Stores, stores

__all__ = ["stores"]
KEY, BOX = b"g" * 32, UUID(int=77)
OWN = Greeting(UUID(int=1), BOX, GreetingKind.PERSONAL, b"c" * 16, "pcmu", 900, 1, b"d" * 32, 5)


@pytest.fixture
async def away(tmp_path: Path) -> AsyncIterator[Database]:
    """A database that is not there."""
    database = Database.connect(f"sqlite:///{tmp_path / 'gone' / 'pbx.db'}")
    yield database
    await database.close()


async def recorded(stores: Stores) -> None:
    await stores.do(greetings.put, OWN)
    await stores.do(greetings.choose, BOX, GreetingChoice.PERSONAL)


async def test_a_start_without_the_database_knows_what_callers_heard_before(
    stores: Stores, away: Database, tmp_path: Path
) -> None:
    file = GreetingFile(tmp_path / "greetings.sealed", KEY)
    await recorded(stores)
    before = GreetingCopy(stores.database, file)
    await before.refresh()
    assert before.of(BOX) == Spoken(personal=OWN)

    after = GreetingCopy(away, GreetingFile(tmp_path / "greetings.sealed", KEY))
    assert after.of(BOX) == Spoken()
    await after.refresh()

    assert after.of(BOX) == Spoken(personal=OWN)
    assert after.count == 1


async def test_a_copy_follows_changes_and_is_written_once_for_each(
    stores: Stores, tmp_path: Path
) -> None:
    path = tmp_path / "greetings.sealed"
    copy = GreetingCopy(stores.database, GreetingFile(path, KEY))
    await copy.refresh()
    assert GreetingFile(path, KEY).read() == Kept()
    await recorded(stores)
    await copy.refresh()
    first = path.stat()
    await copy.refresh()

    assert path.stat().st_mtime_ns == first.st_mtime_ns
    assert GreetingFile(path, KEY).read().greetings == (OWN,)
    assert first.st_mode & 0o777 == 0o600


async def test_what_is_known_is_kept_when_the_database_goes(
    stores: Stores, away: Database, tmp_path: Path
) -> None:
    copy = GreetingCopy(stores.database, GreetingFile(tmp_path / "greetings.sealed", KEY))
    await recorded(stores)
    await copy.refresh()
    (tmp_path / "greetings.sealed").unlink()
    here, stores.database.engine = stores.database.engine, away.engine
    await copy.refresh()
    stores.database.engine = here

    assert copy.of(BOX) == Spoken(personal=OWN)


async def test_a_copy_that_was_altered_or_is_of_another_key_says_nothing(
    stores: Stores, away: Database, tmp_path: Path
) -> None:
    path = tmp_path / "greetings.sealed"
    GreetingFile(path, KEY).write(Kept((OWN,)))
    assert b"pcmu" not in path.read_bytes()
    with pytest.raises(OpenError):
        GreetingFile(path, b"o" * 32).read()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    copy = GreetingCopy(away, GreetingFile(path, KEY))
    await copy.refresh()

    assert copy.of(BOX) == Spoken()


async def test_a_copy_that_cannot_be_written_is_tried_again(stores: Stores, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "greetings.sealed"
    copy = GreetingCopy(stores.database, GreetingFile(path, KEY))
    await recorded(stores)
    await copy.refresh()
    assert copy.of(BOX) == Spoken(personal=OWN)
    path.parent.mkdir()
    await copy.refresh()

    assert GreetingFile(path, KEY).read().greetings == (OWN,)
