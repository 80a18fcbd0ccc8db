"""The weeks' deposit keys after their weeks: which are needed no more, and their end.

A copy of an old deposit slot opens for whoever has the store with that week's key, so the key goes
as soon as nothing depends on it. The exchange alone knows what waits to be adopted, and the key
holder alone decides: neither's word is enough, or deposits could be hidden and lost.
"""

from uuid import UUID

from storage.keyholder import protocol
from storage.keyholder.clock import DAY
from storage.keyholder.core import Core, No
from storage.keyholder.journal import Entry, Event
from storage.keyholder.keyring import DEPOSIT, Keyring
from storage.keyholder.records import KeyRow, Mailbox

GRACE = 7 * DAY
"""How long a week's deposit key outlives its week: what was deposited while the key holder was
away must have had its time to be adopted."""
QUIET = DAY
"""Nothing was adopted under the key, and the key holder was there to adopt, for this long."""
MOST = 100
"""Keys named at a time; the oldest weeks come first."""


class DepositKeys:
    def __init__(self, core: Core, keyring: Keyring) -> None:
        self._core = core
        self._keyring = keyring
        self._since = core.clock()
        self._adopted: dict[UUID, int] = {}
        """Key → when it last opened a deposit."""

    def adopted(self, key: UUID) -> None:
        self._adopted[key] = self._core.clock()

    def gone_by(self, key: UUID) -> int:
        """When this key is gone, if the exchange asks for it; 0: it is gone."""
        row, now = self._core.store.get(KeyRow, key), self._core.clock()
        return 0 if row is None else max(row.signed.until + GRACE, now) + QUIET

    async def spent(self, _: protocol.SpentKeys) -> protocol.KeyList:
        """Those that would be destroyed now, for the exchange to look what depends on them."""
        async with self._core.books.turn:
            rows = [row.signed for row in self._core.store.all(KeyRow) if not self._why_not(row)]
        return protocol.KeyList(tuple(sorted(rows, key=lambda key: (key.start, key.id))[:MOST]))

    async def destroy(self, request: protocol.DestroyDepositKey) -> protocol.Done:
        async with self._core.books.turn:
            row = self._keyring.private(request.key)
            if why := self._why_not(row):
                raise No(why)
            draft = self._core.draft()
            draft.delete(KeyRow, row.id)
            entry = Entry(
                event=Event.KEY_DESTROYED,
                operation=request.evidence.operation,
                ledger_row=request.evidence.ledger_row,
                subject=row.id,
            )
            await self._core.books.write(entry, draft.change())
            self._keyring.forget(row.id)
            self._adopted.pop(row.id, None)
        return protocol.Done()

    def _why_not(self, row: KeyRow) -> str:
        """The exchange's word is not enough: it may not have shown every deposit yet."""
        now, signed = self._core.clock(), row.signed
        if signed.purpose != DEPOSIT or now < signed.until + GRACE:
            return "still in use"
        if now < max(self._since, self._adopted.get(row.id, 0)) + QUIET:
            return "deposits may still wait to be adopted"
        mailbox = self._core.store.get(Mailbox, signed.mailbox) if signed.mailbox else None
        return "on hold" if mailbox is not None and mailbox.holds else ""
