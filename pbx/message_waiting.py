"""Who is told that messages wait: the lamps of phones (RFC 3842) and mail without content; and
whoever manages the practice, when nobody can hear any."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from pbx.b2bua.ports import Phones
from pbx.directory import Directory
from pbx.voicemail import lamps as lamp
from pbx.voicemail.lamps import Lamps
from pbx.voicemail.notice import Notices
from pbx.voicemail.office import Voicemail
from storage import messages
from storage.database import Database
from storage.identifiers import Clock
from storage.messages import Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What telling stands on."""

    agent: lamp.Agent
    phones: Phones
    directory: Callable[[], Directory]
    voicemail: Voicemail
    database: Database
    clock: Clock
    domain: str


class MessageWaiting:
    """Hears of what happens in voicemail from the moment it is made."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        voicemail = ground.voicemail
        self.notices = Notices(lambda: voicemail.config.notice)
        self.lamps = Lamps(
            lamp.Ground(
                agent=ground.agent,
                phones=ground.phones,
                directory=ground.directory,
                counts=self._counts,
                shared=voicemail.readers.mailboxes_of,
                readers=voicemail.readers.people_of,
                domain=ground.domain,
            )
        )
        voicemail.changed = self.lamps.changed
        voicemail.notify = self._notify
        voicemail.alarmed = self._nobody_hears
        voicemail.readers.changed = self._other_readers

    def _notify(self, mailbox: UUID) -> None:
        """An e-mail without content, to whoever is set up for one."""
        addresses = self.notices.config.addresses
        for number, held in self._ground.directory().tenancies.items():
            if held.mailbox == mailbox and number in addresses:
                self.notices.send(addresses[number], self._ground.clock())

    def _nobody_hears(self, managers: frozenset[UUID], is_so: bool) -> None:
        """The practice manager's phones and address are told."""
        self.lamps.alarm(managers if is_so else frozenset())
        if is_so:
            self.notices.alarm()
        else:
            self.notices.over()

    def _other_readers(self, mailboxes: Collection[UUID]) -> None:
        for mailbox in mailboxes:
            self.lamps.changed(mailbox)
        self.lamps.directory_changed()

    async def _counts(self, mailboxes: Collection[UUID]) -> dict[UUID, Counts]:
        async with self._ground.database.read() as connection:
            return await messages.counts_of(connection, mailboxes)
