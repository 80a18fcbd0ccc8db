"""Proofs: secrets sealed at the edge, bound to one act, one object and one challenge.

The `pbx` command or the media worker seals; the exchange relays bytes it can neither read nor use
for another act; the key holder opens. Answers that are secrets come back sealed to a key that
exists only for this one question.
"""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from storage.keyholder import acts, signing
from storage.keyholder.protocol import Challenge, Protected
from storage.sealed import primitives
from storage.sealed.primitives import OpenError, Pair, SealedError, Suite

T = TypeVar("T")

_ROOM = 8192
_encoder = msgspec.msgpack.Encoder()


class SealedProof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is inside a proof."""

    challenge: bytes
    digest: bytes
    """Of the act and its object (`acts.digest`)."""
    session: bytes
    reply_key: bytes
    reply_suite: Suite
    secrets: Protected


@dataclass(frozen=True, slots=True)
class Asker:
    """The ephemeral key pair of one question; opens the answer, then forgets itself."""

    pair: Pair
    challenge: bytes

    def open(self, answer: bytes, kind: type[T]) -> T:
        info = _answer_info(self.challenge)
        opened = primitives.open_with(self.pair.suite, self.pair.private, answer, info)
        return msgspec.msgpack.decode(opened, type=kind)

    def forget(self) -> None:
        primitives.wipe(self.pair.private)


def seal_proof(
    pinned: bytes,
    challenge: Challenge,
    act: acts.Act,
    secrets: Protected,
    *,
    now: int,
    session: bytes = b"",
) -> tuple[bytes, Asker]:
    """Checks the key holder's key against the pinned signing key, then seals. Wipes nothing."""
    key = signing.check_key(pinned, challenge.key, purpose="proof", now=now)
    asker = Asker(primitives.generate_pair(key.suite), challenge.challenge)
    proof = SealedProof(
        challenge=challenge.challenge,
        digest=acts.digest(act),
        session=session,
        reply_key=asker.pair.public,
        reply_suite=asker.pair.suite,
        secrets=secrets,
    )
    plain = bytearray(_ROOM)  # written in place: no other copy of the secrets is made
    try:
        _encoder.encode_into(proof, plain)
        return primitives.seal_to(key.suite, key.public, plain, _proof_info(key)), asker
    finally:
        primitives.wipe(plain)


def open_proof(key: signing.SignedKey, private: primitives.Bytes, sealed: bytes) -> SealedProof:
    """In the key holder; raises `OpenError` for whatever is not a proof for this key."""
    try:
        plain = primitives.open_with(key.suite, private, sealed, _proof_info(key))
        return msgspec.msgpack.decode(plain, type=SealedProof)
    except msgspec.MsgspecError:
        raise OpenError("proof: not in the expected form") from None


def seal_answer(proof: SealedProof, answer: msgspec.Struct) -> bytes:
    """To the asker's ephemeral key; an unusable key raises `OpenError` before anything is done."""
    plain = bytearray(msgspec.msgpack.encode(answer))
    try:
        info = _answer_info(proof.challenge)
        return primitives.seal_to(proof.reply_suite, proof.reply_key, plain, info)
    except SealedError:
        raise OpenError("proof: the key for the answer is not usable") from None
    finally:
        primitives.wipe(plain)


def _proof_info(key: signing.SignedKey) -> bytes:
    return b"hipaa-pbx proof v1\0" + key.id.bytes


def _answer_info(challenge: bytes) -> bytes:
    return b"hipaa-pbx answer v1\0" + challenge
