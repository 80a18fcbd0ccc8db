"""Keeps the directory current: from the database when it is there, from its sealed copy else."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TypeVar
from uuid import UUID

import msgspec
import structlog

from pbx.b2bua.identity import Place
from pbx.directory import (
    EMPTY,
    DeviceEntry,
    Directory,
    DirectoryFile,
    Entries,
    GroupEntry,
    TenancyEntry,
)
from storage import phonebook
from storage.database import Database
from storage.errors import StorageError
from storage.identifiers import Clock
from storage.phonebook import Phonebook
from storage.phones import Phones
from storage.sealed.fields import FieldKey
from storage.sealed.primitives import OpenError

log = structlog.get_logger()
T = TypeVar("T")

EVERY = 30.0
"""Seconds between looks that nobody asked for: what ends by itself ends for phones too."""


class DirectoryKeeper:
    """`current` is the directory of this moment; `refresh` after every change."""

    def __init__(
        self, database: Database, fields: FieldKey, phones: Phones, file: DirectoryFile,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._fields, self._phones = fields, phones
        self._file = file
        self._clock = clock
        self._directory = EMPTY
        self._known = EMPTY.entries
        self._guests: dict[UUID, Entries] = {}
        self._signed_in: Mapping[UUID, UUID] = {}
        self._lock = asyncio.Lock()
        self.changed: Callable[[Directory, Directory], None] = lambda old, new: None
        """Told of every replacement: what is gone has to end."""
        self.is_from_copy = False
        """The database is away; the sealed copy serves."""
        self.is_copy_stale = True
        """The copy may not say what is known; so it is until it was written once."""

    def current(self) -> Directory:
        return self._directory

    async def refresh(self) -> None:
        """Take over what the database says; without it, go on with what is known."""
        async with self._lock:
            try:
                async with self._database.read() as connection:
                    book = await phonebook.read(
                        connection, self._fields, self._phones, self._clock()
                    )
            except StorageError:
                self.is_from_copy = True
                if self._known is EMPTY.entries:
                    await self._restore()
                return
            self.is_from_copy = False
            entries = entries_of(book, self._clock())
            if _same(entries, self._known) and not self.is_copy_stale:
                return
            self.is_copy_stale = True  # whatever happens until it is kept
            self._replace(entries)
            await self._keep(entries)

    async def run(self) -> None:
        """Look again now and then, for ever."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.refresh()
            except Exception:
                log.exception("the directory was not refreshed")

    async def _restore(self) -> None:
        try:
            entries = await asyncio.to_thread(self._file.read)
        except (OSError, OpenError, msgspec.MsgspecError):
            log.error("the sealed copy of the directory cannot be read")
            return
        if entries is not None:
            log.warning("the database is away; phones are served from the sealed copy")
            self._replace(entries)

    async def _keep(self, entries: Entries) -> None:
        try:
            await asyncio.to_thread(self._file.write, entries)
        except OSError:
            log.error("the sealed copy of the directory cannot be written")
        else:
            self.is_copy_stale = False

    def host(self, id: UUID, guests: Entries) -> None:
        """Phones that are in no database and on no disk, until `dismiss`."""
        self._guests[id] = guests
        self._replace(self._known)

    def dismiss(self, id: UUID) -> None:
        """The guests are gone; whatever they had open ends."""
        if self._guests.pop(id, None) is not None:
            self._replace(self._known)

    def sign_in(self, signed_in: Mapping[UUID, UUID]) -> None:
        """Who is signed in from now on: the tenure of each shared phone. On no disk."""
        self._signed_in = dict(signed_in)
        self._replace(self._known)

    def _replace(self, known: Entries) -> None:
        self._known = known
        everybody = Entries(
            made_at=known.made_at,
            devices=known.devices + _all(g.devices for g in self._guests.values()),
            tenancies=known.tenancies + _all(g.tenancies for g in self._guests.values()),
            groups=known.groups,
        )
        old, self._directory = self._directory, Directory(everybody, self._signed_in)
        self.changed(old, self._directory)


def lost_access(old: Directory, new: Directory) -> set[UUID]:
    """Devices whose flows must end: removed, or with another secret, name or certificate."""
    return {
        entry.id
        for entry in old.entries.devices
        if (now := new.devices.get(entry.id)) is None
        or (now.username, now.ha1, now.certificate)
        != (entry.username, entry.ha1, entry.certificate)
    }


def changed_hands(old: Directory, new: Directory) -> set[UUID]:
    """Shared phones on which somebody else is signed in now, or nobody any more."""
    return {
        entry.id
        for entry in new.entries.devices
        if entry.is_shared and _tenure(old, entry.id) != _tenure(new, entry.id)
    }


def _tenure(directory: Directory, device: UUID) -> UUID | None:
    holder = directory.holder_of(device)
    return None if holder is None else holder.tenure


def _all(parts: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(chain.from_iterable(parts))


def _same(one: Entries, other: Entries) -> bool:
    return (one.devices, one.tenancies, one.groups) == (
        other.devices,
        other.tenancies,
        other.groups,
    )


def entries_of(book: Phonebook, now: int) -> Entries:
    """The directory of what was read."""
    devices = tuple(
        DeviceEntry(
            id=phone.identity.device,
            username=phone.identity.username,
            place=Place(phone.place),
            extension=phone.extension,
            algorithm=phone.identity.algorithm,
            ha1=phone.identity.ha1,
            md5_until=phone.md5_until,
            certificate=phone.identity.certificate,
            answers_emergency=phone.identity.answers_emergency,
            shows_lamp=phone.identity.shows_lamp,
            is_shared=phone.is_shared,
            may_call=bool(book.values[f"signed-out-calls-{phone.place}"]),
            idle_minutes=book.values[f"sign-in-idle-minutes-{phone.place}"],
            manner=phone.identity.manner,
        )
        for phone in sorted(book.phones, key=lambda phone: phone.identity.device.int)
    )
    rings: defaultdict[UUID | None, list[UUID]] = defaultdict(list)
    for device in devices:
        rings[device.extension].append(device.id)
    tenancies = tuple(
        TenancyEntry(
            number=held.number,
            extension=held.extension,
            tenure=held.tenure,
            person=held.person,
            name=held.name,
            mailbox=held.mailbox,
            reach=held.reach,
            devices=tuple(rings[held.extension]),
        )
        for held in sorted(book.tenancies, key=lambda held: held.number)
    )
    groups = tuple(
        GroupEntry(id=group.id, number=group.number, settings=group.settings)
        for group in sorted(book.groups, key=lambda group: group.number)
    )
    return Entries(made_at=now, devices=devices, tenancies=tenancies, groups=groups)
