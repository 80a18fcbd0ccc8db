"""What a media worker does with sealed files: seal to signed keys, open on tickets, prove.

It holds no key of its own. A public key counts only with the key holder's signature, checked
against the pinned key just before it is used; a message's key comes on a ticket, for one file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import msgspec

from storage.keyholder import acts, signing, slots
from storage.keyholder.client import KeyHolderUnavailable, Refused
from storage.keyholder.confided import Protected
from storage.keyholder.line import Line
from storage.keyholder.proofs import seal_proof
from storage.keyholder.signing import BadKey, Pin, SignedKey
from storage.keyholder.vouchers import BINDING, Vouched
from storage.sealed import primitives
from storage.sealed.file import Codec, Header, Interrupted, SealedFile, Sealer, Whole
from storage.sealed.primitives import SealedError, Suite

NO_KEY, REFUSED, UNAVAILABLE = "key", "refused", "unavailable"


class VaultRefused(SealedError):
    """Nothing is sealed or opened; `fault` says why."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"vault: {fault}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Sealing:
    """A file about to be written: its sealer, the slot that stands beside it, and for which key."""

    sealer: Sealer
    header: Header
    key: bytearray
    slot: bytes = b""

    def reread(self, data: primitives.Bytes, told: Whole | Interrupted) -> SealedFile:
        """What was just sealed, for whoever sealed it; the key stays for another time."""
        return SealedFile(data, bytearray(self.key), self.header.content, told)

    def forget(self) -> None:
        """From now on only the slot's key opens it."""
        self.sealer.forget()


class Vault:
    """`clock` says microseconds UTC; `draw` makes random octets that nobody else holds."""

    def __init__(
        self,
        pin: Path,
        line: Line,
        clock: Callable[[], int],
        draw: Callable[[int], bytearray] = primitives.secret,
    ) -> None:
        self._pin, self._line, self._clock, self._draw = pin, line, clock, draw

    def binding(self) -> bytearray:
        """What one leg vouches with, once somebody has signed in there."""
        return self._draw(BINDING)

    def seal_to_mailbox(
        self, content: bytes, codec: Codec, started: int, mailbox: UUID, signed: bytes
    ) -> Sealing:
        """Under a new key, in a slot for the mailbox's deposit key."""
        key = bytearray(primitives.random(primitives.KEY))
        try:
            deposit = signing.check_key(
                Pin.read(self._pin).signing_key,
                msgspec.msgpack.decode(signed, type=SignedKey),
                purpose="deposit",
                mailbox=mailbox,
                now=self._clock(),
            )
            slot = slots.deposit_slot(deposit, content, key)
        except (BadKey, SealedError, msgspec.MsgspecError):
            raise VaultRefused(NO_KEY) from None
        return _sealing(content, codec, started, key, slot)

    def seal_to_asker(
        self, content: bytes, codec: Codec, started: int, suite: str, public: bytes
    ) -> Sealing:
        """Under a new key, in a slot for the ephemeral key of a command."""
        key = bytearray(primitives.random(primitives.KEY))
        try:
            slot = slots.asker_slot(Suite(suite), public, content, key)
        except (ValueError, SealedError):
            raise VaultRefused(NO_KEY) from None
        return _sealing(content, codec, started, key, slot)

    def seal_greeting(self, content: bytes, codec: Codec, started: int, key: bytes) -> Sealing:
        """Under the key of this one greeting."""
        if len(key) != primitives.KEY:
            raise VaultRefused(NO_KEY)
        return _sealing(content, codec, started, bytearray(key), b"")

    def open_message(
        self,
        data: primitives.Bytes,
        content: bytes,
        told: Whole | Interrupted,
        *,
        ticket: bytes,
        slot: bytes,
        vouched: Vouched,
    ) -> SealedFile:
        """Asks the key holder, then checks the whole file; on any fault the key is forgotten."""
        try:
            key = self._line.open_message(ticket, content, slot, vouched)
        except Refused:
            raise VaultRefused(REFUSED) from None
        except KeyHolderUnavailable:
            raise VaultRefused(UNAVAILABLE) from None
        return _opened(data, key, content, told)

    def open_greeting(
        self, data: primitives.Bytes, content: bytes, told: Whole | Interrupted, *, key: bytes
    ) -> SealedFile:
        """With the key of this one greeting."""
        if len(key) != primitives.KEY:
            raise VaultRefused(NO_KEY)
        return _opened(data, bytearray(key), content, told)

    def prove(
        self, act: bytes, session: bytes, secrets: Mapping[str, bytearray], binding: bytearray
    ) -> bytes:
        """What was typed, sealed to the key holder for exactly this act; nothing is kept."""
        try:
            challenge = self._line.challenge()
            sealed, asker = seal_proof(
                Pin.read(self._pin).signing_key,
                challenge,
                msgspec.msgpack.decode(act, type=acts.AnyAct),
                Protected(**secrets, binding=binding),
                now=self._clock(),
                session=session,
            )
        except KeyHolderUnavailable:
            raise VaultRefused(UNAVAILABLE) from None
        except (BadKey, SealedError, msgspec.MsgspecError, TypeError):
            raise VaultRefused(NO_KEY) from None
        asker.forget()
        return sealed


def _sealing(content: bytes, codec: Codec, started: int, key: bytearray, slot: bytes) -> Sealing:
    header = Header.new(content, codec, started)
    return Sealing(Sealer(key, header), header, key, slot)


def _opened(
    data: primitives.Bytes, key: bytearray, content: bytes, told: Whole | Interrupted
) -> SealedFile:
    try:
        return SealedFile(data, key, content, told)
    except SealedError:
        primitives.wipe(key)
        raise
