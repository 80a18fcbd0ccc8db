"""storage/keyholder/store.py"""

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from storage.keyholder.journal import Position
from storage.keyholder.records import Failures, MessageSecret, Tombstone
from storage.keyholder.store import Change, Store, StoreError, read_wrapped
from tests.support.full_store import full

KEY = b"k" * 32
ONE, TWO = UUID(int=1), UUID(int=2)
SECRET = MessageSecret(ONE, TWO, bytearray(b"the only key of the message 4711"), 5)


def place(number: int) -> Position:
    return Position(number, bytes([number]) * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def body_of(path: Path, kind: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT body FROM rows WHERE kind = ?", (kind,)).fetchone()
    return bytes(found[0])


def made(path: Path) -> Store:
    store = Store.create(path, KEY, b"wrapped", Position())
    store.commit(Change(put=[SECRET, Tombstone(TWO, 1)]), place(1), 10)
    return store


def test_rows_are_there_again_after_reopening(path: Path) -> None:
    made(path).close()

    store = Store(path, KEY)
    store.verify()

    assert store.get(MessageSecret, ONE) == SECRET
    assert store.get(MessageSecret, TWO) is None
    assert store.get(Tombstone, ONE) is None
    assert list(store.all(Tombstone)) == [Tombstone(TWO, 1)]
    assert len(store.everything()) == 2
    assert store.state.position == place(1)
    assert (store.state.generation, store.state.clock) == (1, 10)
    assert read_wrapped(path) == b"wrapped"
    store.close()


def test_nothing_readable_is_in_the_file_and_a_destroyed_row_is_overwritten(path: Path) -> None:
    store = made(path)
    body = body_of(path, "message")
    written = path.read_bytes() + path.with_name("store-wal").read_bytes()
    assert b"4711" not in written
    assert body in written

    store.commit(Change(delete=[(MessageSecret, ONE), (MessageSecret, TWO)]), place(2), 11)

    assert store.get(MessageSecret, ONE) is None
    store.verify()
    left = path.read_bytes() + path.with_name("store-wal").read_bytes()
    assert body[:40] not in left
    assert body[-40:] not in left
    store.close()


def test_a_row_put_back_from_an_older_copy_is_found(path: Path) -> None:
    """The lock-out counter of yesterday is a valid row, but not one of today's store."""
    store = made(path)
    store.commit(Change(put=[Failures(ONE, (), 0)]), place(2), 11)
    old = body_of(path, "failures")
    store.commit(Change(put=[Failures(ONE, (), 99)]), place(3), 12)
    store.verify()

    sqlite3.connect(path).execute(
        "UPDATE rows SET body = ? WHERE kind = 'failures'", (old,)
    ).connection.commit()

    with pytest.raises(StoreError, match="put back"):
        store.verify()
    store.close()


@pytest.mark.parametrize(
    ("tampering", "rule"),
    [
        ("DELETE FROM rows WHERE kind = 'tombstone'", "put back"),
        ("UPDATE rows SET body = zeroblob(60) WHERE kind = 'message'", "does not open"),
        ("UPDATE rows SET id = zeroblob(16) WHERE kind = 'message'", "does not open"),
        ("UPDATE rows SET kind = 'failures' WHERE kind = 'message'", "does not open"),
    ],
)
def test_rows_removed_altered_or_moved_are_found(path: Path, tampering: str, rule: str) -> None:
    made(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(tampering)

    store = Store(path, KEY)
    with pytest.raises(StoreError, match=rule):
        store.verify()
    store.close()


def test_a_failed_commit_changes_nothing(path: Path) -> None:
    store = made(path)
    with full(path), pytest.raises(sqlite3.IntegrityError):
        store.commit(Change(put=[Tombstone(ONE, 1)]), place(2), 11)
    with pytest.raises(AttributeError):
        store.commit(Change(put=[Tombstone(ONE, 1), object()]), place(2), 11)  # type: ignore[list-item]

    assert store.state.position == place(1)
    assert store.get(Tombstone, ONE) is None
    store.commit(Change(put=[Tombstone(ONE, 1)]), place(2), 11)
    store.verify()
    store.close()


def test_a_new_store_key_re_wraps_every_row_in_one_transaction(path: Path) -> None:
    store = made(path)

    store.rekey(b"n" * 32, b"wrapped again", place(2), 3)
    store.verify()
    assert store.get(MessageSecret, ONE) == SECRET
    assert store.state.clock == 10
    store.close()

    with pytest.raises(StoreError, match="root key"):
        Store(path, KEY)
    again = Store(path, b"n" * 32)
    again.verify()
    assert read_wrapped(path) == b"wrapped again"
    again.close()


def test_a_failed_rotation_changes_nothing(path: Path) -> None:
    store = made(path)

    with pytest.raises(sqlite3.IntegrityError):
        store.rekey(b"n" * 32, None, place(2), 3)  # type: ignore[arg-type]

    store.verify()
    assert store.get(MessageSecret, ONE) == SECRET
    store.close()


def test_what_is_missing_or_no_store_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        read_wrapped(path)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="not a key store"):
        read_wrapped(path)
    with pytest.raises(StoreError, match="exists already"):
        Store.create(path, KEY, b"", Position())
