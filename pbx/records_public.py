"""The key holder's public records key, cached on disk for a cold start without the key holder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import structlog

from pbx import copies
from storage.keyholder.client import KeyHolder, KeyHolderError
from storage.keyholder.signing import SignedKey
from storage.records import PURPOSE

log = structlog.get_logger()

EVERY = 600.0
RETRY = 10.0


class RecordsPublicKey:
    """`current` is the newest signed key known; whoever seals checks its signature."""

    def __init__(self, keyholder: KeyHolder, path: Path) -> None:
        self._keyholder = keyholder
        self._path = path
        self._key: SignedKey | None = self._read()

    def current(self) -> SignedKey | None:
        return self._key

    async def run(self) -> None:
        """Ask the key holder now and then, for ever."""
        while True:
            answered = await self.refresh()
            await asyncio.sleep(EVERY if answered else RETRY)

    async def refresh(self) -> bool:
        """True if the key holder answered."""
        try:
            keys = await self._keyholder.public_keys(PURPOSE)
        except KeyHolderError:
            return False
        newest = max(keys, key=lambda key: (key.start, key.generation), default=None)
        if newest is not None and newest != self._key:
            self._key = newest
            await asyncio.to_thread(self._write, newest)
        return newest is not None

    def _read(self) -> SignedKey | None:
        try:
            return msgspec.msgpack.decode(self._path.read_bytes(), type=SignedKey)
        except (OSError, msgspec.MsgspecError):
            return None

    def _write(self, key: SignedKey) -> None:
        try:
            copies.replace(self._path, msgspec.msgpack.encode(key))
        except OSError:
            log.warning("the records key cannot be cached")
