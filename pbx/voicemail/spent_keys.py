"""Deposit keys of weeks that are over: destroyed as soon as no message depends on them any more.

Until then a copy of a message's first slot opens for whoever has the key holder's store as well;
certificates of destruction count on the key's end. The key holder says which weeks it would let
go, we look what still waits to be adopted, and each end has its row first.
"""

from __future__ import annotations

import structlog

from pbx.voicemail.deposits import Deposits
from storage import messages
from storage.database import Database
from storage.deeds import Deed
from storage.errors import StorageError
from storage.identifiers import Clock, new_id
from storage.intents import intend
from storage.keyholder.client import KeyHolder, KeyHolderError, Refused
from storage.keyholder.signing import SignedKey
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM, Subject

log = structlog.get_logger()


class SpentKeys:
    """`run` once in a while."""

    def __init__(
        self,
        database: Database,
        committer: Committer,
        keyholder: KeyHolder,
        deposits: Deposits,
        clock: Clock,
    ) -> None:
        self._database, self._committer = database, committer
        self._keyholder, self._deposits, self._clock = keyholder, deposits, clock

    async def run(self) -> int:
        """How many were destroyed now."""
        destroyed = 0
        try:
            while count := await self._destroy_some():
                destroyed += count
        except (KeyHolderError, StorageError):
            log.warning("old deposit keys wait: key holder or ledger is away")
        return destroyed

    async def _destroy_some(self) -> int:
        """Of so many as the key holder names at a time; 0: nothing is left to do."""
        spent = await self._keyholder.spent_keys()
        return sum([await self._destroy(key) for key in await self._needless(spent)])

    async def _needless(self, spent: tuple[SignedKey, ...]) -> list[SignedKey]:
        """Those that no message waits for, neither in its row nor in the log or on the disk."""
        if self._deposits.needs_recovery:
            return []
        open_ = {held.begun.mailbox for held in self._deposits.log.open_.values()}
        async with self._database.read() as connection:
            waiting = await messages.unadopted_keys(connection)
        return [key for key in spent if key.mailbox not in open_ and key.id not in waiting]

    async def _destroy(self, key: SignedKey) -> bool:
        deed = Deed(SYSTEM, new_id(self._clock), self._clock())
        subject = Subject("mailbox", key.mailbox)
        action = Action.DEPOSIT_KEY_DESTROYED
        after = {"key": str(key.id), "until": key.until}
        evidence = await intend(self._committer, deed, action, subject, after)
        outcome = Outcome.DONE
        try:
            await self._keyholder.destroy_deposit_key(key.id, evidence)
        except Refused:
            outcome = Outcome.REFUSED
        await self._committer.note(deed.entry(action, subject, after=after, outcome=outcome))
        return outcome is Outcome.DONE
