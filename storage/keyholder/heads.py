"""Ledger heads: signed only as an extension of what was signed before.

For each writer the last head is remembered; the leaf hashes since are given, the chain is
recomputed here. A head of ours that we do not remember shows that store and journal were both
put back from older copies.
"""

from uuid import UUID

from storage.keyholder import signing
from storage.keyholder.alarms import Alarms
from storage.keyholder.core import Core, No
from storage.keyholder.journal import GENESIS, Entry, Event
from storage.keyholder.protocol import Head, SignHead
from storage.keyholder.records import HeadRow, Settings
from storage.keyholder.signing import SignedHead
from storage.sealed.primitives import sha256, verifying_key

MOST_LEAVES = 10_000


class Heads:
    def __init__(self, core: Core, alarms: Alarms) -> None:
        self._core = core
        self._alarms = alarms

    async def sign(self, request: SignHead) -> Head:
        async with self._core.books.turn:
            settings = self._core.settings()
            self._check_known(request, settings)
            if not 0 < len(request.leaves) <= MOST_LEAVES:
                raise No("too many or no leaves")
            if any(len(leaf) != 32 for leaf in request.leaves):
                raise No("not leaf hashes")
            sequence, chain = self._extended(request)
            return await self._signed(request.writer, sequence, chain, settings)

    async def _signed(self, writer: UUID, sequence: int, chain: bytes, settings: Settings) -> Head:
        draft = self._core.draft()
        draft.put(HeadRow(writer, sequence, chain))
        entry = Entry(
            event=Event.HEAD_SIGNED, writer=writer, head_sequence=sequence, head_chain=chain
        )
        position = await self._core.books.write(entry, draft.change())
        head = SignedHead(
            writer, sequence, chain, position.sequence, position.chain, self._core.clock()
        )
        return Head(signing.signed_head(settings.signing_key, head))

    def _extended(self, request: SignHead) -> tuple[int, bytes]:
        """From a head we stand behind through the last one: an answer may have been lost."""
        last = self._last(request.writer)
        sequence, chain = self._base(request, last)
        must_pass = sequence < last.sequence
        for leaf in request.leaves:
            chain, sequence = sha256(chain, leaf), sequence + 1
            if sequence == last.sequence:
                if chain != last.chain:
                    raise No("not an extension of the last head")
                must_pass = False
        if must_pass:
            raise No("ends before the last head")
        return sequence, chain

    def _base(self, request: SignHead, last: HeadRow) -> tuple[int, bytes]:
        known = request.known
        if request.previous == last.sequence:
            return last.sequence, last.chain
        if request.previous == 0:
            return 0, GENESIS
        if known is not None and known.sequence == request.previous:
            return known.sequence, known.chain  # `_check_known` has seen our signature
        raise No("not an extension of the last head")

    def _last(self, writer: UUID) -> HeadRow:
        return self._core.store.get(HeadRow, writer) or HeadRow(writer, 0, GENESIS)

    def _check_known(self, request: SignHead, settings: Settings) -> None:
        known = request.known
        if known is None:
            return
        if not self._is_ours(known, request.writer, settings):
            raise No("not a head of ours")
        last = self._last(request.writer)
        if known.sequence > last.sequence:
            if settings.restored is not None and known.signed_at <= settings.restored:
                return
            self._alarms.add("a signed ledger head is newer than the key store: both rolled back?")
            raise No("rolled back")
        if known.sequence == last.sequence and known.chain != last.chain:
            self._alarms.add("a signed ledger head differs from the key store")
            raise No("two heads of one sequence")

    def _is_ours(self, known: SignedHead, writer: UUID, settings: Settings) -> bool:
        pinned = verifying_key(settings.signing_key)
        return known.writer == writer and signing.is_signed(pinned, known)
