"""A message sealed anew for somebody else: opened and sealed segment by segment, in a thread.

Nothing of it stays: each segment is overwritten, both keys are forgotten, and the new file is there
complete or not at all.
"""

import hashlib
import os

from media.errors import MessageRefused
from media.recordings import Deposit, Resealed, Resealing
from media.worker.message_files import Beside, MessageFiles, append, fault_of
from media.worker.vault import SEGMENT_MS, SPACE, By, Opened, Sealed, Vault


def resealed(files: MessageFiles, vault: Vault, asked: Resealing, by: By) -> Resealed:
    """The new file, durable; whoever asked settles it once the database knows its slot."""
    source = files.read(asked.opening.content)
    opened = vault.open(source, asked.opening, asked.expect, by)
    try:
        sealed = vault.seal(asked.to, opened.codec, opened.started)
        try:
            return _copied(files, asked, opened, sealed)
        finally:
            sealed.forget()
    finally:
        opened.forget()


def _copied(files: MessageFiles, asked: Resealing, opened: Opened, sealed: Sealed) -> Resealed:
    beside = Beside.of(asked.to, sealed.slot)
    descriptor = files.create(asked.to.content, beside, sealed.head)
    running, space = hashlib.sha256(sealed.head), bytearray(SPACE)
    count = max(len(opened), 1)
    try:
        for number in range(count):
            size = opened.open(number, space) if number < len(opened) else 0
            last = number == count - 1
            length = opened.milliseconds - number * SEGMENT_MS if last else SEGMENT_MS
            audio = space[:size]
            segment = sealed.segment(audio, length, last=last)
            audio[:] = bytes(size)
            append(descriptor, segment)
            running.update(segment)
        os.fsync(descriptor)
    except OSError as failure:
        files.remove([asked.to.content])
        raise MessageRefused(fault_of(failure)) from None
    finally:
        space[:] = bytes(SPACE)
        os.close(descriptor)
    return Resealed(
        content=asked.to.content,
        codec=opened.codec,
        started=opened.started,
        slot=sealed.slot,
        key=asked.to.key if isinstance(asked.to, Deposit) else b"",
        segments=count,
        digest=running.digest(),
        milliseconds=opened.milliseconds,
    )
