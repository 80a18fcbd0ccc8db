"""Greetings and mailbox settings as deposits need them: in memory, also while the database is away.

What callers hear is decided from this copy; it follows the database after every change. A sealed
one on disk serves a start without the database.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import msgspec
import structlog

from pbx.voicemail.greeting_file import GreetingFile, Kept
from storage import greetings
from storage.database import Database
from storage.errors import StorageError
from storage.greetings import Greeting, GreetingChoice, GreetingKind, MailboxSetting
from storage.sealed.primitives import OpenError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a caller of one mailbox hears of its owner's own recordings."""

    personal: Greeting | None = None
    name: Greeting | None = None


class GreetingCopy:
    """`of` answers at once."""

    def __init__(self, database: Database, file: GreetingFile) -> None:
        self._database, self._file = database, file
        self._kept: Kept | None = None
        self._is_stale = True
        """The copy on disk may not say what is known."""
        self._greetings: dict[tuple[UUID, GreetingKind], Greeting] = {}
        self._settings: dict[UUID, MailboxSetting] = {}

    async def refresh(self) -> None:
        """Take over what the database says; without it, go on with what is known."""
        try:
            async with self._database.read() as connection:
                found = await greetings.all_(connection)
                settings = await greetings.settings_of_all(connection)
        except StorageError:
            if self._kept is None:
                await self._restore()
            return
        kept = Kept(tuple(sorted(found, key=lambda one: one.id.int)), settings)
        if kept != self._kept or self._is_stale:
            self._take(kept)
            await self._keep(kept)

    def _take(self, kept: Kept) -> None:
        self._kept, self._is_stale = kept, True
        self._greetings = {(one.mailbox, one.kind): one for one in kept.greetings}
        self._settings = kept.settings

    async def _keep(self, kept: Kept) -> None:
        try:
            await asyncio.to_thread(self._file.write, kept)
        except OSError:
            log.error("the sealed copy of greetings cannot be written")
        else:
            self._is_stale = False

    async def _restore(self) -> None:
        try:
            kept = await asyncio.to_thread(self._file.read)
        except (OSError, OpenError, msgspec.MsgspecError):
            log.error("the sealed copy of greetings cannot be read")
            return
        log.warning("the database is away; greetings are those of the sealed copy")
        self._take(kept)

    @property
    def count(self) -> int:
        """Recorded greetings, chosen or not."""
        return len(self._greetings)

    def of(self, mailbox: UUID) -> Spoken:
        choice = self._settings.get(mailbox, MailboxSetting()).greeting
        match choice:
            case GreetingChoice.PERSONAL:
                return Spoken(personal=self._greetings.get((mailbox, GreetingKind.PERSONAL)))
            case GreetingChoice.NAME:
                return Spoken(name=self._greetings.get((mailbox, GreetingKind.NAME)))
            case _:
                return Spoken()
