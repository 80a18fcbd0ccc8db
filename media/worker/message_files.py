"""The directory of sealed files, which workers alone write; everything here may block.

    <content>.sealed    header and segments; locked while it is being recorded
    <content>.slot      what opens it, until the database has that: what lies here is not settled

The slot is on the disk before the file is, so that no crash leaves audio that nobody can open.
Until the file is there and locked its maker shares a lock of the directory; who looks for what a
crash left has that lock alone, and so never takes a file that is being made for one left behind.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from media.errors import MessageRefused
from media.recordings import Asker, Deposit, Greeting, LeftRecording, Spool
from media.worker.vault import Vault

log = structlog.get_logger()

MODE = 0o640
"""The exchange's group reads: backup, and what was sealed anew for a command."""
MEBIBYTE = 1 << 20
TORN = 64
"""Octets: header and first segment of a file are more, so a shorter one holds no audio."""


class Beside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies beside an unsettled file."""

    kind: Literal["deposit", "greeting", "asker"]
    mailbox: str
    key: bytes
    slot: bytes

    @classmethod
    def of(cls, to: Deposit | Asker | Greeting, slot: bytes) -> "Beside":
        match to:
            case Deposit(_, mailbox, key):
                return cls("deposit", mailbox, key, slot)
            case Asker(_, _, public, _):
                return cls("asker", "", public, slot)
            case Greeting():
                return cls("greeting", "", b"", slot)


class MessageFiles:
    """`low` and `reserve` are MiB that should, and must, stay free."""

    def __init__(self, directory: Path, low: int, reserve: int) -> None:
        self._directory, self._low, self._reserve = directory, low, reserve

    def create(self, content: bytes, beside: Beside, head: bytes) -> int:
        """Slot, file and header, durable; returns the locked file's descriptor."""
        try:
            if self.space(0).is_full:
                raise MessageRefused("disk-full")
            descriptor = self._made(content, beside)
            try:
                append(descriptor, head)
                os.fsync(descriptor)
                self._sync()
            except OSError:
                os.close(descriptor)
                raise
        except OSError as failure:
            if failure.errno != errno.EEXIST:
                with contextlib.suppress(OSError):
                    self.remove([content])
            raise MessageRefused(fault_of(failure)) from None
        return descriptor

    def read(self, content: bytes) -> bytes:
        """The whole file."""
        try:
            return self._file(content).read_bytes()
        except OSError:
            raise MessageRefused("missing") from None

    def remove(self, contents: Iterable[bytes]) -> None:
        """Files and slots; it does not matter which are gone already."""
        for content in contents:
            self._file(content).unlink(missing_ok=True)
            self._slot(content).unlink(missing_ok=True)
        self._sync()

    def settle(self, contents: Iterable[bytes]) -> None:
        """Slots, now that the database has them."""
        for content in contents:
            self._slot(content).unlink(missing_ok=True)
        self._sync()

    def left_behind(self, vault: Vault) -> tuple[LeftRecording, ...]:
        """Unsettled files that nobody records; what a crash tore off their ends is cut away."""
        return tuple(self._left(vault))

    def space(self, recordings: int) -> Spool:
        """How much is free."""
        found = os.statvfs(self._directory)
        free = found.f_bavail * found.f_frsize
        return Spool(
            free=free,
            total=found.f_blocks * found.f_frsize,
            is_low=free < self._low * MEBIBYTE,
            is_full=free < self._reserve * MEBIBYTE,
            recordings=recordings,
        )

    # --- inside

    def _made(self, content: bytes, beside: Beside) -> int:
        """Slot and empty file; returns the locked file's descriptor."""
        with self._held(fcntl.LOCK_SH):
            self._write(self._slot(content), msgspec.msgpack.encode(beside))
            descriptor = _new(self._file(content))
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody else can have it yet
            return descriptor

    def _left(self, vault: Vault) -> Iterator[LeftRecording]:
        for slot in sorted(self._directory.glob("*.slot")):
            with self._held(fcntl.LOCK_EX):
                found = self._found(vault, slot)
            if found is not None:
                yield found

    def _found(self, vault: Vault, slot: Path) -> LeftRecording | None:
        try:
            content = bytes.fromhex(slot.stem)
            beside = msgspec.msgpack.decode(slot.read_bytes(), type=Beside)
            return self._whole(vault, content, beside)
        except (OSError, ValueError, msgspec.MsgspecError, MessageRefused):
            with contextlib.suppress(OSError):
                self._clear(slot)
        return None

    def _whole(self, vault: Vault, content: bytes, beside: Beside) -> LeftRecording | None:
        descriptor = os.open(self._file(content), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if not _locked(descriptor):
                return None  # somebody records it
            data = _all(descriptor)
            counted = vault.count(data)
            if counted.size != len(data):
                os.ftruncate(descriptor, counted.size)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return LeftRecording(
            content=content,
            kind=beside.kind,
            mailbox=beside.mailbox,
            key=beside.key,
            slot=beside.slot,
            codec=counted.codec,
            started=counted.started,
            segments=counted.segments,
            digest=counted.digest,
            milliseconds=counted.milliseconds,
            is_complete=counted.is_complete,
        )

    def _clear(self, slot: Path) -> None:
        """What was torn before there was a first octet of audio holds nothing. A file that is
        being recorded is let be, and so is one that cannot be read beside its slot: either may be
        damaged, and what is in the database opens without the slot that lies here."""
        file = slot.with_suffix(".sealed")
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if not _locked(descriptor):
                    return
                if os.fstat(descriptor).st_size >= TORN:
                    log.error("a recording beside its slot cannot be read")
                    return
                file.unlink()
            finally:
                os.close(descriptor)
        slot.unlink(missing_ok=True)

    def _file(self, content: bytes) -> Path:
        return self._directory / f"{content.hex()}.sealed"

    def _slot(self, content: bytes) -> Path:
        return self._directory / f"{content.hex()}.slot"

    def _write(self, path: Path, data: bytes) -> None:
        descriptor = _new(path)
        try:
            append(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _sync(self) -> None:
        with self._opened() as descriptor:
            os.fsync(descriptor)

    @contextlib.contextmanager
    def _held(self, how: int) -> Iterator[None]:
        with self._opened() as descriptor:
            fcntl.flock(descriptor, how)
            yield

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def append(descriptor: int, data: bytes) -> None:
    """All of it, or OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def fault_of(failure: OSError) -> str:
    """The disk's trouble by name."""
    full = failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "disk-full" if full else "disk-error"


def _new(path: Path) -> int:
    """Never a content that was there before."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, MODE)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _all(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    data = bytearray()
    while len(data) < size and (part := os.pread(descriptor, size - len(data), len(data))):
        data += part
    return bytes(data)
