"""The key holder takes new messages over, as soon as it is there: each gets a secret of its own.

From then on a message opens only with a secret that can be destroyed, and its week's deposit key
is needed no longer.
"""

from __future__ import annotations

import structlog

from media.client import MediaClient, MediaError
from storage import messages
from storage.database import Database
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.intents import intend
from storage.keyholder.client import InvalidRequest, KeyHolder, KeyHolderUnavailable, Refused
from storage.keyholder.protocol import AdoptMessage
from storage.ledger.actions import Action
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.messages import Message

log = structlog.get_logger()


class Adoption:
    """`run` once in a while, and soon after a deposit."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        keyholder: KeyHolder,
        media: MediaClient,
        clock: Clock,
    ) -> None:
        self._database, self._committer = database, committer
        self._keyholder, self._media, self._clock = keyholder, media, clock
        self._refused: set[bytes] = set()
        self._unsettled: set[bytes] = set()
        """Adopted, and the deposit's slot still lies beside the file."""

    @property
    def refused(self) -> int:
        """Messages that the key holder will not take: an alarm."""
        return len(self._refused)

    async def run(self) -> int:
        """Adopt what waits; how many were adopted now."""
        try:
            async with self._database.read() as connection:
                waiting = await messages.not_adopted(connection)
        except StorageError:
            return 0
        adopted = 0
        for message in waiting:
            if message.content in self._refused or message.slot is None:
                continue
            try:
                await self._adopt(message, message.slot)
            except (KeyHolderUnavailable, StorageError):
                break
            except (Refused, InvalidRequest):
                log.error("a message was not adopted", reason="refused")
                self._refused.add(message.content)
            else:
                self._unsettled.add(message.content)
                adopted += 1
        await self._settle()
        return adopted

    async def _adopt(self, message: Message, slot: bytes) -> None:
        deed = Deed(SYSTEM, new_id(self._clock), self._clock())
        subject = messages.subject(message.id)
        evidence = await intend(self._committer, deed, Action.MESSAGE_ADOPTED, subject)
        own = await self._keyholder.adopt_message(
            AdoptMessage(
                message=message.id,
                mailbox=message.mailbox,
                content=message.content,
                key=message.deposit_key,
                slot=slot,
                evidence=evidence,
            )
        )

        async def work(unit: Unit) -> None:
            await messages.adopted(unit, deed, message.id, own)

        await self._committer.run(work)

    async def _settle(self) -> None:
        """After a crash of ours recovery finds those that we forgot."""
        if not self._unsettled:
            return
        contents = list(self._unsettled)
        try:
            await self._media.settle(contents)
        except MediaError:
            return  # no worker answers: next time
        self._unsettled.difference_update(contents)
