"""One recording's way to the disk, in a thread of its own: seal, write, fsync, piece by piece.

The loop hands pieces over and never waits: a disk that is too slow for a recording fills its
bounded queue, and that ends the recording. What was handed over is overwritten once it is sealed.
"""

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from media.errors import MessageRefused
from media.recordings import Asker, AudioCodec, Deposit, Greeting
from media.worker.levels import judge_of
from media.worker.message_files import Beside, MessageFiles, append, fault_of
from media.worker.vault import Sealed, Vault

log = structlog.get_logger()

CAPACITY = 24
"""Pieces that may wait for the disk: twelve seconds."""
STACK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Durable:
    """What is on the disk for certain."""

    segments: int
    digest: bytes
    milliseconds: int
    octets: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment's audio, or the rest of one at the end."""

    audio: bytearray
    milliseconds: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Hears:
    """Who is told, in the writer's thread."""

    started: Callable[[Sealed], None]
    stored: Callable[[Durable, int, bool], None]
    """Each time more is durable: with how many milliseconds of silence it ends, and whether the
    disk runs low."""
    ended: Callable[[Durable, str], None]
    """Once; with the disk's fault, or nothing."""
    refused: Callable[[str], None]
    """Instead of all this: there is no file."""


class Writer:
    """Starts at once; ends after the last piece, or at the first trouble of the disk."""

    def __init__(
        self,
        files: MessageFiles,
        vault: Vault,
        to: Deposit | Asker | Greeting,
        codec: AudioCodec,
        started: int,
        hears: Hears,
    ) -> None:
        self._files, self._vault, self._hears = files, vault, hears
        self._to, self._codec, self._started = to, codec, started
        self._pieces: deque[Piece] = deque()
        self._ready = threading.Condition()
        self._durable = Durable(0, b"", 0, 0)
        self._quiet_ms = 0
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def put(self, audio: bytearray, milliseconds: int) -> bool:
        """One more piece; False: the disk is too far behind, and the piece is overwritten."""
        if len(self._pieces) >= CAPACITY:
            _wipe([Piece(audio, milliseconds)])
            return False
        self._hand_over(Piece(audio, milliseconds))
        return True

    def finish(self, audio: bytearray, milliseconds: int) -> None:
        """The rest; then the file is complete."""
        self._hand_over(Piece(audio, milliseconds, last=True))

    def wait(self, seconds: float) -> None:
        """For the thread to end, when the process does."""
        self._thread.join(seconds)

    def _hand_over(self, piece: Piece) -> None:
        with self._ready:
            self._pieces.append(piece)
            if self._is_over:
                self._drop()
            self._ready.notify()

    # --- in the thread

    def _run(self) -> None:
        try:
            sealed = self._vault.seal(self._to, self._codec, self._started)
            self._is_quiet = judge_of(self._codec)
            beside = Beside.of(self._to, sealed.slot)
            descriptor = self._files.create(self._to.content, beside, sealed.head)
        except MessageRefused as refusal:
            self._hears.refused(refusal.fault)
            return
        except Exception as failure:  # noqa: BLE001 - whoever asked must not wait for ever
            log.error("a recording did not begin", kind=type(failure).__name__)
            self._hears.refused("disk-error")
            return
        try:
            self._hears.started(sealed)
            durable, fault = self._write(sealed, descriptor)
        finally:
            os.close(descriptor)
        self._hears.ended(durable, fault)  # whoever looks for the file now finds it unlocked

    def _write(self, sealed: Sealed, descriptor: int) -> tuple[Durable, str]:
        running = hashlib.sha256(sealed.head)
        self._durable = Durable(0, running.digest(), 0, len(sealed.head))
        while True:
            pieces = self._take()
            try:
                for piece in pieces:
                    self._listen(piece)
                    segment = sealed.segment(piece.audio, piece.milliseconds, last=piece.last)
                    append(descriptor, segment)
                    running.update(segment)
                os.fsync(descriptor)
                before, size = self._durable, os.fstat(descriptor).st_size
                is_low = self._files.space(0).is_low
            except OSError as failure:
                self._cut(descriptor)
                return self._durable, fault_of(failure)
            except Exception as failure:  # noqa: BLE001 - as above, and nothing stays unwiped
                log.error("a recording broke off", kind=type(failure).__name__)
                self._cut(descriptor)
                return self._durable, "disk-error"
            finally:
                _wipe(pieces)
            self._durable = Durable(
                before.segments + len(pieces),
                running.digest(),
                before.milliseconds + sum(piece.milliseconds for piece in pieces),
                size,
            )
            if pieces[-1].last:
                return self._durable, ""
            self._hears.stored(self._durable, self._quiet_ms, is_low)

    def _listen(self, piece: Piece) -> None:
        quiet = self._is_quiet(piece.audio)
        self._quiet_ms = self._quiet_ms + piece.milliseconds if quiet else 0

    def _take(self) -> list[Piece]:
        """Whatever waits: one fsync is enough for all of it."""
        with self._ready:
            self._ready.wait_for(lambda: self._pieces)
            pieces = list(self._pieces)
            self._pieces.clear()
        return pieces

    def _cut(self, descriptor: int) -> None:
        """What is not known to be durable does not stay behind what is."""
        with self._ready:
            self._is_over = True
            self._drop()
        try:
            os.ftruncate(descriptor, self._durable.octets)
            os.fsync(descriptor)
        except OSError:
            return  # then recovery finds more than was told, and that opens as it finds it

    def _drop(self) -> None:
        """The disk takes no more: what waits for it is overwritten, and what still comes."""
        _wipe(list(self._pieces))
        self._pieces.clear()


def _wipe(pieces: list[Piece]) -> None:
    for piece in pieces:
        piece.audio[:] = bytes(len(piece.audio))
