"""storage/keyholder/proofs.py"""

from uuid import UUID

import msgspec
import pytest

from storage.keyholder import acts, proofs, signing
from storage.keyholder.proofs import SealedProof
from storage.keyholder.protocol import Challenge, HalfCode, Protected
from storage.keyholder.signing import BadKey, SignedKey
from storage.sealed import primitives
from storage.sealed.primitives import OpenError, Suite
from tests.support.keyholder import text

SECRET = b"s" * 32
PINNED = primitives.verifying_key(SECRET)
PAIR = primitives.generate_pair(Suite.HYBRID)
UNSIGNED = SignedKey(UUID(int=1), PAIR.public, "proof", None, None, Suite.HYBRID, 0, 9, 1)
CHALLENGE = Challenge(b"c" * 32, signing.signed_key(SECRET, UNSIGNED))
ACT = acts.LogIn("ann")


def test_what_is_sealed_at_the_edge_opens_in_the_key_holder() -> None:
    sealed, asker = proofs.seal_proof(
        PINNED, CHALLENGE, ACT, Protected(password=text("secret")), now=1, session=b"handle"
    )

    proof = proofs.open_proof(CHALLENGE.key, PAIR.private, sealed)

    assert proof.secrets.password == b"secret"
    assert (proof.challenge, proof.session) == (CHALLENGE.challenge, b"handle")
    assert proof.digest == acts.digest(ACT)
    answer = proofs.seal_answer(proof, HalfCode("ABC", 1))
    assert asker.open(answer, HalfCode) == HalfCode("ABC", 1)
    asker.forget()
    assert not any(asker.pair.private)
    assert b"secret" not in sealed


def test_nothing_is_sealed_to_a_key_that_is_not_the_key_holders() -> None:
    other = primitives.generate_pair(Suite.HYBRID)
    false = signing.signed_key(b"x" * 32, msgspec.structs.replace(UNSIGNED, public=other.public))

    with pytest.raises(BadKey):
        proofs.seal_proof(PINNED, Challenge(b"c", false), ACT, Protected(), now=1)


def test_bytes_that_are_no_proof_do_not_open() -> None:
    info = b"hipaa-pbx proof v1\0" + CHALLENGE.key.id.bytes
    strange = primitives.seal_to(Suite.HYBRID, PAIR.public, b"\x01", info)

    for sealed in (b"", b"noise" * 400, strange):
        with pytest.raises(OpenError):
            proofs.open_proof(CHALLENGE.key, PAIR.private, sealed)


def test_an_answer_is_never_given_in_clear_when_its_key_is_unusable() -> None:
    proof = SealedProof(b"c", b"d", b"", b"no key", Suite.HYBRID, Protected())

    with pytest.raises(OpenError):
        proofs.seal_answer(proof, HalfCode("ABC", 1))
