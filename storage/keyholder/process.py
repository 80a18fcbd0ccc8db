"""The key holder as a process: sockets, the state of the door, locked start, unlock.

Constructed by `pbx.service`, run by its runner. Whatever happens to store or journal, the sockets
are there and say what is the matter; nothing is opened unless both are whole.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from storage.keyholder import founding, protocol
from storage.keyholder.books import CannotWrite, RolledBack
from storage.keyholder.clock import Clock
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.keyholder.holder import Holder
from storage.keyholder.journal import JournalError
from storage.keyholder.keystores import KeyStore, KeyStoreError
from storage.keyholder.keystores.choice import choose, root_key_path
from storage.keyholder.keystores.file import PassphraseKeyStore
from storage.keyholder.protocol import Answer, Request, State
from storage.keyholder.store import StoreError
from storage.keyholder.surroundings import Surroundings, close_memory, memory_in_words
from storage.sealed import primitives
from storage.sealed.primitives import Argon2, SealedError, Suite

log = structlog.get_logger()


def wall_clock() -> int:
    return time.time_ns() // 1000


def monotonic_clock() -> int:
    """Goes on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where everything of this process is."""

    keys: Path
    """The store's directory, of the key holder's account alone."""
    data: Path
    """Where the exchange's database is: compared, never read."""
    edges: Mapping[protocol.Edge, Place]


class KeyHolderProcess:
    """A `Service` of the runner: start, reload, drain, stop."""

    def __init__(
        self,
        places: Places,
        config: KeyHolderConfig,
        environment: Mapping[str, str],
        *,
        wall: Clock = wall_clock,
        monotonic: Clock = monotonic_clock,
        cost: Argon2 | None = None,
        close: Callable[[], bool] = close_memory,
    ) -> None:
        self._places = places
        self._config = config
        self._environment = environment
        self._clocks = (wall, monotonic)
        self._cost = cost or Argon2()
        self._close_memory = close
        self._holder: Holder | None = None
        self._state = State.EMPTY
        self._reason, self._memory = "", ""
        self._unlocking = asyncio.Lock()
        self._door = primitives.generate_pair(Suite.HYBRID)
        self._edges = [
            Edge(place, REQUESTS[edge], self.answer) for edge, place in places.edges.items()
        ]

    async def start(self) -> dict[str, str]:
        locked = self._close_memory()
        self._memory = memory_in_words(locked=locked)
        if not locked:
            log.warning("memory is not locked: use encrypted swap or none")
        if founding.exists(self._places.keys):
            await self._start_store()
        for edge in self._edges:
            await edge.start()
        return {"key holder": self._state.value}

    async def _start_store(self) -> None:
        self._state = State.LOCKED
        if self._config.root == "passphrase":
            return
        try:
            await self._open(choose(self._config, self._places.keys, self._environment))
        except KeyStoreError as error:
            self._reason = str(error)
            log.error("the key store stays locked", reason=str(error))

    async def _open(self, keystore: KeyStore) -> None:
        """argon2id and the walk through journal and store take their time: off the loop."""
        wall, monotonic = self._clocks
        try:
            core = await asyncio.to_thread(
                founding.open_core,
                self._places.keys,
                keystore,
                self._config,
                wall,
                monotonic,
                cost=self._cost,
            )
        except (RolledBack, StoreError, JournalError) as error:
            self._state, self._reason = State.ALARMED, str(error)
            log.critical("the key store opens nothing", reason=str(error))
        except CannotWrite as error:
            self._state, self._reason = State.FULL, str(error)
            log.error("the key store cannot be written", reason=str(error))
        else:
            self._holder = Holder(core, keystore, self._places.keys)
            self._state, self._reason = State.READY, ""

    async def answer(self, request: Request) -> Answer:
        match request:
            case protocol.KeyStatus():
                return self._report()
            case protocol.AskUnlock():
                return protocol.UnlockKey(self._door.public, self._door.suite)
            case protocol.Unlock(sealed=sealed):
                return await self._unlock(sealed)
        if self._holder is not None:
            return await self._holder.answer(request)
        if isinstance(request, protocol.Ping):
            return protocol.Pong(self._state, 0)
        return protocol.Shut(self._state)

    async def _unlock(self, sealed: bytes) -> Answer:
        """One at a time; a wrong passphrase costs 256 MiB and a second, and is logged."""
        async with self._unlocking:
            if self._state is not State.LOCKED:
                return protocol.Invalid(f"unlock: the key holder is {self._state}")
            try:
                info = b"hipaa-pbx unlock v1"
                door = self._door
                opened = primitives.open_with(door.suite, door.private, sealed, info)
                await self._open(PassphraseKeyStore(bytearray(opened)))
            except (SealedError, KeyStoreError):
                log.warning("a wrong passphrase was offered to the key holder")
                return protocol.Refusal()
        return protocol.Pong(self._state, 0)

    def _report(self) -> protocol.KeyReport:
        around = Surroundings.of(
            self._places.keys,
            self._places.data,
            root_key_path(self._config, self._places.keys),
        )
        if self._holder is not None:
            return msgspec.structs.replace(self._holder.report(around), memory=self._memory)
        return protocol.KeyReport(
            state=self._state,
            keystore=self._config.root,
            generation=0,
            journal=0,
            journal_head=b"",
            last_backup=None,
            recovery="",
            same_device=around.same_device,
            same_account=around.same_account,
            root_beside=around.root_beside,
            alarms=(self._reason,) if self._reason else (),
            memory=self._memory,
        )

    async def reload(self) -> dict[str, str]:
        """Limits are read at start; a change of them is a restart, which ends sessions."""
        return {"key holder": self._state.value}

    async def drain(self) -> None:
        return

    async def stop(self) -> None:
        for edge in self._edges:
            await edge.stop()
        if self._holder is not None:
            self._holder.close()
        primitives.wipe(self._door.private)


def seal_passphrase(key: protocol.UnlockKey, passphrase: bytearray) -> bytes:
    """In the `pbx` command."""
    return primitives.seal_to(Suite(key.suite), key.public, passphrase, b"hipaa-pbx unlock v1")
