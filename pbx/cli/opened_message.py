"""A message in this command's hands: sealed by a worker to a key that exists for this one answer.

Nothing is written but what the command was asked to write. Sound goes to an audio device or a
pipe; into a file it goes encrypted, unless somebody who may says otherwise and why.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID

from media.recordings import AudioCodec
from media.sound_files import wav
from pbx.admin.wire.voicemail import SealedCopy
from pbx.cli.output import CommandError, Exit
from pbx.cli.proofs import Desk
from storage.keyholder import slots, vouchers
from storage.sealed import primitives
from storage.sealed.file import MAX_SEALED, SealedFile, Whole
from storage.sealed.primitives import SealedError, Suite

SUITE = Suite.HYBRID
PLAYERS = (("aplay", "-q"), ("pw-play", "-"), ("paplay",))


class OpenedMessage:
    """`sound` is a WAV stream, made as it is read."""

    def __init__(self, desk: Desk, message: UUID, act: str, purpose: str) -> None:
        pair = primitives.generate_pair(SUITE)
        voucher = vouchers.of_command(desk.binding(), message, SUITE.value, pair.public)
        body = {
            "purpose": purpose,
            "suite": SUITE.value,
            "public": pair.public,
            "voucher": voucher,
        }
        client = desk.client
        try:
            copy = client.post(f"/v1/own/messages/{message}/{act}", SealedCopy, body)
            key = slots.open_asker_slot(SUITE, pair.private, copy.content, copy.slot)
            self._file = SealedFile(copy.file, key, copy.content, Whole(copy.digest))
        except SealedError:
            raise CommandError(
                "What the exchange sent is not the message that was asked for.", Exit.REFUSED
            ) from None
        finally:
            primitives.wipe(pair.private)
        self.codec = cast("AudioCodec", copy.codec)
        self.milliseconds = copy.milliseconds

    def sound(self) -> Iterator[bytes]:
        """Header and samples."""
        try:
            yield from wav(self.codec, self._seconds())
        finally:
            self._file.forget()

    def _seconds(self) -> Iterator[memoryview]:
        space = bytearray(MAX_SEALED)
        try:
            for number in range(len(self._file)):
                yield memoryview(space)[: self._file.open(number, space)]
        finally:
            primitives.wipe(space)


def sink_for_listening() -> BinaryIO | None:
    """Standard output, if it is a pipe or a device; None: it is a terminal."""
    mode = os.fstat(sys.stdout.fileno()).st_mode
    if stat.S_ISREG(mode):
        raise CommandError("`listen` writes no file; use: pbx voicemail export", Exit.REFUSED)
    if sys.stdout.isatty():
        return None
    return sys.stdout.buffer


def player() -> tuple[str, ...]:
    """For the audio device: whichever this machine has."""
    found = next((one for one in PLAYERS if shutil.which(one[0])), None)
    if found is None:
        raise CommandError(
            "There is no audio player here (aplay, pw-play); pipe the sound into one.",
            Exit.UNAVAILABLE,
        )
    return found


def play(found: tuple[str, ...], sound: Iterator[bytes]) -> None:
    """To the audio device, by this player."""
    with subprocess.Popen(list(found), stdin=subprocess.PIPE, bufsize=0) as playing:  # noqa: S603 - of PLAYERS
        into = playing.stdin or sys.stdout.buffer
        with suppress(BrokenPipeError):  # it has said why, or somebody has heard enough
            for part in sound:
                into.write(part)
    if playing.returncode:
        raise CommandError(
            f"{found[0]} could not play all of it; pipe the sound into another player.",
            Exit.UNAVAILABLE,
        )


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A new file of this account's alone, never over another; gone again if it is not all there."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise CommandError(f"{path} is there already.", Exit.REFUSED) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
