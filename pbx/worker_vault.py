"""Sealed files as a media worker sees them: `media.worker.vault` by way of `storage.sealed`.

The two packages know nothing of one another; `pbx.service` gives this to the worker.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast
from uuid import UUID

from media.client import (
    Asker,
    Deposit,
    Greeting,
    Interrupted,
    MessageRefused,
    Ticketed,
    Whole,
)
from storage.keyholder import vouchers
from storage.keyholder.vouchers import Vouched
from storage.sealed import file, vault
from storage.sealed.file import Codec, FileRefused
from storage.sealed.primitives import SealedError
from storage.sealed.vault import VaultRefused

By = bytearray | Asker
AudioCodec = Literal["pcmu", "pcma", "g722", "opus", "l16"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is what its ledger row says."""

    read: file.SealedFile

    @property
    def codec(self) -> AudioCodec:
        return _name(self.read.header.codec)

    @property
    def started(self) -> int:
        return self.read.header.started

    @property
    def milliseconds(self) -> int:
        return self.read.milliseconds

    def __len__(self) -> int:
        return len(self.read)

    def open(self, number: int, space: bytearray) -> int:
        with _told():
            return self.read.open(number, space)

    def forget(self) -> None:
        self.read.forget()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file about to be written."""

    sealing: vault.Sealing

    @property
    def head(self) -> bytes:
        return self.sealing.sealer.head

    @property
    def slot(self) -> bytes:
        return self.sealing.slot

    def segment(self, audio: bytearray, milliseconds: int, *, last: bool = False) -> bytes:
        with _told():
            return self.sealing.sealer.segment(audio, milliseconds, last=last)

    def reread(self, data: bytes, expect: Whole | Interrupted) -> Opened:
        with _told():
            return Opened(self.sealing.reread(data, _row(expect)))

    def forget(self) -> None:
        self.sealing.forget()


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of a file without its key."""

    facts: file.Facts

    @property
    def codec(self) -> AudioCodec:
        return _name(self.facts.header.codec)

    @property
    def started(self) -> int:
        return self.facts.header.started

    @property
    def segments(self) -> int:
        return self.facts.segments

    @property
    def digest(self) -> bytes:
        return self.facts.digest

    @property
    def size(self) -> int:
        return self.facts.size

    @property
    def milliseconds(self) -> int:
        return self.facts.milliseconds

    @property
    def is_complete(self) -> bool:
        return self.facts.is_complete


@dataclass(frozen=True, slots=True)
class WorkerVault:
    """What a worker can do with sealed files."""

    vault: vault.Vault

    def seal(self, to: Deposit | Asker | Greeting, codec: AudioCodec, started: int) -> Sealed:
        kind = Codec[codec.upper()]
        with _told():
            match to:
                case Deposit(content, mailbox, key):
                    made = self.vault.seal_to_mailbox(content, kind, started, UUID(mailbox), key)
                case Asker(content, suite, public, _):
                    made = self.vault.seal_to_asker(content, kind, started, suite, public)
                case Greeting(content, key):
                    made = self.vault.seal_greeting(content, kind, started, key)
        return Sealed(made)

    def open(
        self, data: bytes, opening: Ticketed | Greeting, expect: Whole | Interrupted, by: By
    ) -> Opened:
        told = _row(expect)
        with _told():
            match opening:
                case Ticketed(content, ticket, slot):
                    vouched = _vouched(by, ticket, content)
                    read = self.vault.open_message(
                        data, content, told, ticket=ticket, slot=slot, vouched=vouched
                    )
                case Greeting(content, key):
                    read = self.vault.open_greeting(data, content, told, key=key)
        return Opened(read)

    def count(self, data: bytes) -> Counted:
        with _told():
            return Counted(file.inspect(data))

    def binding(self) -> bytearray:
        return self.vault.binding()

    def prove(
        self, act: bytes, session: bytes, secrets: Mapping[str, bytearray], binding: bytearray
    ) -> bytes:
        with _told():
            return self.vault.prove(act, session, secrets, binding)


def _vouched(by: By, ticket: bytes, content: bytes) -> Vouched:
    """For the very key that the copy will be sealed to, or for this leg."""
    if isinstance(by, Asker):
        return Vouched(by.voucher, vouchers.asker_id(by.suite, by.public))
    return vouchers.of_leg(by, ticket, content)


def _row(expect: Whole | Interrupted) -> file.Whole | file.Interrupted:
    if isinstance(expect, Whole):
        return file.Whole(expect.digest)
    return file.Interrupted(expect.segments, expect.digest)


def _name(codec: Codec) -> AudioCodec:
    return cast(AudioCodec, codec.name.lower())


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Every refusal in the words of `media`."""
    try:
        yield
    except (FileRefused, VaultRefused) as refusal:
        raise MessageRefused(refusal.fault) from None
    except (SealedError, ValueError):
        raise MessageRefused("altered") from None
