"""Greetings and mailbox settings as deposits need them: in memory, also while the database is away.

What callers hear is decided from this copy; it follows the database after every change.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from storage import greetings
from storage.database import Database
from storage.errors import StorageError
from storage.greetings import Greeting, GreetingChoice, GreetingKind, MailboxSetting


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a caller of one mailbox hears of its owner's own recordings."""

    personal: Greeting | None = None
    name: Greeting | None = None


class GreetingCopy:
    """`of` answers at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._greetings: dict[tuple[UUID, GreetingKind], Greeting] = {}
        self._settings: dict[UUID, MailboxSetting] = {}

    async def refresh(self) -> None:
        """Take over what the database says; without it, go on with what is known."""
        try:
            async with self._database.read() as connection:
                found = await greetings.all_(connection)
                settings = await greetings.settings_of_all(connection)
        except StorageError:
            return
        self._greetings = {(one.mailbox, one.kind): one for one in found}
        self._settings = settings

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
