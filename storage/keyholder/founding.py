"""Making a key holder's store, opening it, and making it again from rows of a backup."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from storage.keyholder import segments
from storage.keyholder.books import Books, Crash, going_on
from storage.keyholder.clock import Clock, SafeClock
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.core import Core
from storage.keyholder.factors import Stretcher
from storage.keyholder.journal import Entry, Event, Journal, Position
from storage.keyholder.keyring import LIFE, make_key
from storage.keyholder.keystores import KeyStore
from storage.keyholder.records import SETTINGS, Row, Settings
from storage.keyholder.sessions import Challenges, Sessions
from storage.keyholder.signing import Pin
from storage.keyholder.store import Change, Store, StoreError, read_wrapped
from storage.sealed import primitives
from storage.sealed.primitives import Argon2

STORE, JOURNAL = "store", "journal"
_UNFINISHED = "unfinished"


def exists(directory: Path) -> bool:
    return (directory / STORE).exists()


def create(directory: Path, keystore: KeyStore, config: KeyHolderConfig, clock: Clock) -> Pin:
    """A new store with its signing key; returns what everybody who seals pins."""
    settings = Settings(
        SETTINGS,
        primitives.generate_signing_key(),
        bytearray(primitives.random(primitives.KEY)),
        bytearray(primitives.random(primitives.KEY)),
    )
    now = clock()
    keys = [
        make_key(settings, config.suite, purpose, now, now + life, 1)
        for purpose, life in LIFE.items()
    ]
    found(directory, keystore, [settings, *keys], Entry(event=Event.CREATED), clock)
    return Pin(primitives.verifying_key(settings.signing_key))


def found(
    directory: Path,
    keystore: KeyStore,
    rows: Iterable[Row],
    entry: Entry,
    clock: Clock,
    *,
    place: Position | None = None,
    journal: Path | None = None,
) -> None:
    """All or nothing: built beside, then moved in; the store's file comes last.

    With `journal` (one that survived) the new store goes on in a copy of it; else a new journal
    goes on from `place`, so that sequences never repeat."""
    if exists(directory):
        raise StoreError("key store: exists already; nothing was changed")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = directory / _UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    names = _journal_copies(unfinished, journal)
    chain = Journal(unfinished / JOURNAL)
    if journal is None:
        chain.start(place or Position())
    else:
        chain.load()
    key = bytearray(primitives.random(primitives.KEY))
    store = Store.create(unfinished / STORE, key, keystore.wrap(key), chain.position)
    primitives.wipe(key)
    books = Books(store, chain, clock)
    books.write_now(entry, Change(put=list(rows)))
    books.close()
    for name in (*names, JOURNAL, STORE):
        os.replace(unfinished / name, directory / name)
    unfinished.rmdir()
    segments.sync(directory)


def _journal_copies(directory: Path, journal: Path | None) -> list[str]:
    """The journal that survived and its closed parts; answers the names of those."""
    if journal is None:
        return []
    shutil.copyfile(journal, directory / JOURNAL)
    names = []
    for part in segments.closed(journal):
        names.append(JOURNAL + part.name.removeprefix(journal.name))
        shutil.copyfile(part, directory / names[-1])
    return names


def open_core(
    directory: Path,
    keystore: KeyStore,
    config: KeyHolderConfig,
    wall: Clock,
    monotonic: Clock,
    *,
    cost: Argon2 = Argon2(),  # noqa: B008 - frozen
    at: Crash = going_on,
) -> Core:
    """Unwraps, verifies store and journal, and writes that we have started."""
    path = directory / STORE
    key = keystore.unwrap(read_wrapped(path))
    try:
        store = Store(path, key)
    finally:
        primitives.wipe(key)
    clock = SafeClock(wall, monotonic, store.state.clock)
    segments.finish(directory / JOURNAL)
    books = Books.open(store, Journal(directory / JOURNAL), clock, at)
    books.write_now(Entry(event=Event.STARTED))
    return Core(
        books=books,
        clock=clock,
        config=config,
        stretcher=Stretcher(cost),
        sessions=Sessions(config.sessions_per_person),
        challenges=Challenges(),
    )
