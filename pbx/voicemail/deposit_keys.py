"""Signed deposit keys of every mailbox, kept for the weeks that the key holder made them ahead.

They are public; what counts is the key holder's signature, which is checked just before sealing,
here and again by the worker that seals. The copy on disk serves a cold start without the key
holder.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from pbx import copies
from storage.identifiers import Clock
from storage.keyholder.client import KeyHolder, KeyHolderError, KeyHolderUnavailable
from storage.keyholder.signing import BadKey, SignedKey, check_key, is_signed

log = structlog.get_logger()

PURPOSE = "deposit"
EVERY = 600.0
RETRY = 10.0
DAY = 86_400_000_000


class DepositKeys:
    """`current` is the key of this week; `refresh` asks for those ahead."""

    def __init__(
        self,
        keyholder: KeyHolder,
        path: Path,
        pinned: Callable[[], bytes],
        mailboxes: Callable[[], Iterable[UUID]],
        clock: Clock,
    ) -> None:
        self._keyholder, self._path = keyholder, path
        self._pinned, self._mailboxes, self._clock = pinned, mailboxes, clock
        self._keys: dict[UUID, tuple[SignedKey, ...]] = self._read()
        self._genuine: dict[tuple[bytes, SignedKey], bool] = {}
        """Signatures that were looked at: what is only counted is not checked again each time,
        which would hold up signalling for a quarter of a millisecond a mailbox."""
        self._wake = asyncio.Event()

    def current(self, mailbox: UUID) -> SignedKey | None:
        """The key to seal to now; None: no message can be left."""
        now = self._clock()
        for key in self._keys.get(mailbox, ()):
            if key.start <= now < key.until:  # no signature of another week's is looked at
                with suppress(BadKey):
                    return check_key(self._pinned(), key, purpose=PURPOSE, mailbox=mailbox, now=now)
        return None

    def missing(self) -> int:
        """Mailboxes that nobody can leave a message in: an alarm."""
        pinned, now = self._pinned(), self._clock()
        return sum(not self._has_key(mailbox, pinned, now) for mailbox in self._mailboxes())

    def _has_key(self, mailbox: UUID, pinned: bytes, now: int) -> bool:
        return any(
            key.start <= now < key.until
            and (key.purpose, key.mailbox) == (PURPOSE, mailbox)
            and self._is_genuine(pinned, key)
            for key in self._keys.get(mailbox, ())
        )

    def _is_genuine(self, pinned: bytes, key: SignedKey) -> bool:
        """Of these very bytes: another key in the place of this one is checked anew."""
        found = self._genuine.get((pinned, key))
        if found is None:
            found = self._genuine[pinned, key] = is_signed(pinned, key)
        return found

    def wake(self) -> None:
        """There may be a mailbox that has no key yet."""
        if any(mailbox not in self._keys for mailbox in self._mailboxes()):
            self._wake.set()

    async def run(self) -> None:
        """Ask now and then, for ever; at once when there is a new mailbox."""
        while True:
            answered = await self.refresh()
            self._wake.clear()
            try:
                async with asyncio.timeout(EVERY if answered else RETRY):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def refresh(self) -> bool:
        """True if the key holder answered; mailboxes that ended are forgotten."""
        wanted = list(self._mailboxes())
        found: dict[UUID, tuple[SignedKey, ...]] = {}
        answered, pinned, now = True, self._pinned(), self._clock()
        for mailbox in wanted:
            await asyncio.sleep(0)  # after a start each signature is looked at
            held = self._keys.get(mailbox, ())
            is_good = self._has_key(mailbox, pinned, now)  # what was swapped is asked for anew
            lasts = is_good and max(key.until for key in held) > self._clock() + 7 * DAY
            if lasts or not answered:  # a key holder that is away is asked once, not for each
                found[mailbox] = held
                continue
            try:
                found[mailbox] = await self._keyholder.public_keys(PURPOSE, mailbox)
            except KeyHolderUnavailable:
                answered = False
                found[mailbox] = held
            except KeyHolderError:
                found[mailbox] = held  # it does not know this mailbox: a missing key is an alarm
        if found != self._keys:
            self._keys = found
            await asyncio.to_thread(self._write)
        kept = {key for keys in found.values() for key in keys}
        self._genuine = {one: is_so for one, is_so in self._genuine.items() if one[1] in kept}
        return answered

    def _read(self) -> dict[UUID, tuple[SignedKey, ...]]:
        try:
            return msgspec.msgpack.decode(
                self._path.read_bytes(), type=dict[UUID, tuple[SignedKey, ...]]
            )
        except (OSError, msgspec.MsgspecError):
            return {}

    def _write(self) -> None:
        try:
            copies.replace(self._path, msgspec.msgpack.encode(self._keys))
        except OSError:
            log.warning("deposit keys cannot be cached")
