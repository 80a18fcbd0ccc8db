"""Key pairs of the key holder and their signed public halves.

Deposit keys are made and signed ahead, one pair per mailbox and week, so that messages can be
left while the key holder is away; the exchange caches them for a cold start.
"""

from collections.abc import Iterator
from uuid import UUID, uuid4

from storage.keyholder import signing
from storage.keyholder.clock import DAY, WEEK
from storage.keyholder.core import Core, No
from storage.keyholder.draft import Draft
from storage.keyholder.journal import Entry, Event
from storage.keyholder.protocol import AskChallenge, Challenge, KeyList, PublicKeys
from storage.keyholder.records import KeyRow, Mailbox, Settings
from storage.keyholder.signing import SignedKey
from storage.sealed import primitives
from storage.sealed.primitives import Suite

PROOF, RECORDS, DEPOSIT = "proof", "records", "deposit"
LIFE = {PROOF: 366 * DAY, RECORDS: 366 * DAY}
RENEW = 30 * DAY


class Keyring:
    """Finds keys by purpose in a table of public halves kept in memory."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._signed: dict[UUID, SignedKey] = {}
        self.reload()

    def reload(self) -> None:
        self._signed = {row.id: row.signed for row in self._core.store.all(KeyRow)}

    async def challenge(self, _: AskChallenge) -> Challenge:
        key = await self.current(PROOF)
        return Challenge(self._core.challenges.give(self._core.clock()), key)

    async def public_keys(self, request: PublicKeys) -> KeyList:
        match request.purpose, request.mailbox:
            case ("proof" | "records") as purpose, None:
                return KeyList((await self.current(purpose),))
            case "deposit", UUID() as mailbox:
                return KeyList(await self._deposit_keys(mailbox))
        raise No("no such purpose")

    async def current(self, purpose: str) -> SignedKey:
        """The newest valid key, renewed well before it ends."""
        async with self._core.books.turn:
            now = self._core.clock()
            newest = self._newest(purpose)
            if newest is None or newest.until - RENEW <= now:
                newest = await self._write_new(purpose, now)
            return newest

    def newest(self, purpose: str) -> SignedKey | None:
        return self._newest(purpose)

    def _newest(self, purpose: str) -> SignedKey | None:
        keys = [key for key in self._signed.values() if key.purpose == purpose]
        return max(keys, key=lambda key: key.generation, default=None)

    async def _write_new(self, purpose: str, now: int) -> SignedKey:
        draft = self._core.draft()
        row = self.renewed(draft, purpose, now)
        await self._commit(draft, row)
        return row.signed

    def renewed(self, draft: Draft, purpose: str, now: int) -> KeyRow:
        newest = self._newest(purpose)
        generation = newest.generation + 1 if newest is not None else 1
        settings = self._core.settings()
        suite = self._core.config.suite
        row = make_key(settings, suite, purpose, now, now + LIFE[purpose], generation)
        draft.put(row)
        return row

    async def _commit(self, draft: Draft, *rows: KeyRow) -> None:
        entry = Entry(event=Event.KEY_MADE, subject=rows[0].id, reason=rows[0].signed.purpose)
        await self._core.books.write(entry, draft.change())
        self._signed |= {row.id: row.signed for row in rows}

    async def _deposit_keys(self, identifier: UUID) -> tuple[SignedKey, ...]:
        async with self._core.books.turn:
            mailbox = self._core.store.get(Mailbox, identifier)
            if mailbox is None or mailbox.closed is not None:
                raise No("no such mailbox")
            now = self._core.clock()
            wanted = list(_weeks(now, self._core.config.weeks_ahead))
            held = {key.start: key for key in self._deposits_of(identifier)}
            missing = [start for start in wanted if start not in held]
            if missing:
                draft = self._core.draft()
                rows = [self._deposit(draft, mailbox, start) for start in missing]
                await self._commit(draft, *rows)
                held |= {row.signed.start: row.signed for row in rows}
            return tuple(held[start] for start in wanted)

    def _deposit(self, draft: Draft, mailbox: Mailbox, start: int) -> KeyRow:
        settings, suite = self._core.settings(), self._core.config.suite
        row = make_key(settings, suite, DEPOSIT, start, start + WEEK, 1, mailbox)
        draft.put(row)
        return row

    def _deposits_of(self, mailbox: UUID) -> Iterator[SignedKey]:
        keys = self._signed.values()
        return (key for key in keys if key.purpose == DEPOSIT and key.mailbox == mailbox)

    def forget(self, identifier: UUID) -> None:
        self._signed.pop(identifier, None)

    def private(self, identifier: UUID) -> KeyRow:
        row = self._core.store.get(KeyRow, identifier)
        if row is None:
            raise No("no such key")
        return row


def make_key(
    settings: Settings,
    suite: Suite,
    purpose: str,
    start: int,
    until: int,
    generation: int,
    mailbox: Mailbox | None = None,
) -> KeyRow:
    """A new pair, its public half signed over everything that limits its use."""
    pair = primitives.generate_pair(suite)
    unsigned = SignedKey(
        id=uuid4(),
        public=pair.public,
        purpose=purpose,
        mailbox=mailbox.id if mailbox is not None else None,
        tenure=mailbox.tenure if mailbox is not None else None,
        suite=suite,
        start=start,
        until=until,
        generation=generation,
    )
    signed = signing.signed_key(settings.signing_key, unsigned)
    return KeyRow(signed.id, signed, pair.private)


def _weeks(now: int, ahead: int) -> Iterator[int]:
    first = now // WEEK * WEEK
    return (first + number * WEEK for number in range(ahead))
