"""storage/sealed/primitives.py: known answers first, then what must fail."""

import json
from pathlib import Path
from typing import Any

import pytest

from storage.sealed import primitives
from storage.sealed.primitives import Argon2, KeyFormatError, OpenError, Suite

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "primitives.json").read_text()
)


def raw(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.mark.parametrize("vector", VECTORS["aes-256-gcm"])
def test_known_answers_of_aes_256_gcm(vector: dict[str, str]) -> None:
    sealed = raw(vector["nonce"]) + raw(vector["ciphertext"])

    opened = primitives.open_sealed(raw(vector["key"]), sealed, raw(vector["context"]))

    assert opened == raw(vector["plaintext"])


@pytest.mark.parametrize("vector", VECTORS["segment"])
def test_known_answers_of_segments(vector: dict[str, Any]) -> None:
    arguments = (raw(vector["key"]), raw(vector["prefix"]), vector["number"], vector["last"])

    sealed = primitives.seal_segment(*arguments, raw(vector["plaintext"]), raw(vector["header"]))

    assert sealed.hex() == vector["sealed"]
    opened = primitives.open_segment(*arguments, sealed, raw(vector["header"]))
    assert opened == raw(vector["plaintext"])


@pytest.mark.parametrize("vector", VECTORS["hpke"])
def test_known_answers_of_hpke(vector: dict[str, str]) -> None:
    suite = Suite(vector["suite"])

    opened = primitives.open_with(
        suite, raw(vector["private"]), raw(vector["sealed"]), raw(vector["info"])
    )

    assert opened == raw(vector["plaintext"])
    assert primitives.public_of(suite, raw(vector["private"])).hex() == vector["public"]


@pytest.mark.parametrize("vector", VECTORS["pair-from-secret"])
def test_known_answers_of_the_pair_made_from_a_secret(vector: dict[str, str]) -> None:
    pair = primitives.pair_from_secret(raw(vector["secret"]), vector["label"])

    assert pair.private.hex() == vector["private"]
    assert primitives.sha256(pair.public).hex() == vector["public_sha256"]


@pytest.mark.parametrize("vector", VECTORS["hkdf"])
def test_known_answers_of_hkdf_labels(vector: dict[str, str]) -> None:
    derived = primitives.hkdf(raw(vector["key"]), vector["label"], raw(vector["context"]))

    assert derived.hex() == vector["derived"]


@pytest.mark.parametrize("vector", VECTORS["mac"])
def test_known_answers_of_the_keyed_hash(vector: dict[str, str]) -> None:
    value = primitives.mac(raw(vector["key"]), vector["label"], raw(vector["data"]))

    assert value.hex() == vector["mac"]


@pytest.mark.parametrize("vector", VECTORS["ed25519"])
def test_known_answers_of_ed25519(vector: dict[str, str]) -> None:
    key, message = raw(vector["key"]), raw(vector["message"])

    signature = primitives.sign(key, vector["label"], message)

    assert signature.hex() == vector["signature"]
    public = primitives.verifying_key(key)
    assert public.hex() == vector["public"]
    assert primitives.verify(public, vector["label"], message, signature)
    assert not primitives.verify(public, "another label", message, signature)
    assert not primitives.verify(public, vector["label"], message, signature[:-1])


@pytest.mark.parametrize("vector", VECTORS["argon2id"])
def test_known_answers_of_argon2id(vector: dict[str, Any]) -> None:
    cost = Argon2(vector["passes"], vector["kibibytes"], vector["lanes"])

    stretched = primitives.stretch(vector["secret"].encode(), vector["salt"].encode(), cost)

    assert stretched.hex() == vector["hash"]


@pytest.mark.parametrize("vector", VECTORS["hotp"])
def test_known_answers_of_rfc_4226_appendix_d(vector: dict[str, Any]) -> None:
    assert primitives.hotp(raw(vector["secret"]), vector["counter"]) == vector["code"]


def test_sealed_data_opens_only_with_its_key_and_context() -> None:
    sealed = primitives.seal(b"k" * 32, b"text", b"here")

    assert primitives.open_sealed(b"k" * 32, sealed, b"here") == b"text"
    for key, data, context in (
        (b"x" * 32, sealed, b"here"),
        (b"k" * 32, sealed, b"there"),
        (b"k" * 32, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"here"),
        (b"k" * 32, sealed[:20], b"here"),
    ):
        with pytest.raises(OpenError):
            primitives.open_sealed(key, data, context)


@pytest.mark.parametrize(("number", "last"), [(1, False), (0, True)])
def test_a_segment_moved_or_cut_off_does_not_open(number: int, last: bool) -> None:
    sealed = primitives.seal_segment(b"k" * 32, b"1234567", 0, False, b"text", b"header")

    with pytest.raises(OpenError):
        primitives.open_segment(b"k" * 32, b"1234567", number, last, sealed, b"header")


def test_a_segment_opens_into_a_space_that_can_be_wiped() -> None:
    sealed = primitives.seal_segment(b"k" * 32, b"1234567", 0, False, b"text", b"header")
    space = bytearray(8)

    filled = primitives.open_segment_into(b"k" * 32, b"1234567", 0, False, sealed, b"header", space)

    assert bytes(space) == b"text" + bytes(4)
    assert filled == 4
    for number, data, room in ((1, sealed, 8), (0, sealed, 3), (0, sealed[:15], 8)):
        with pytest.raises(OpenError):
            primitives.open_segment_into(
                b"k" * 32, b"1234567", number, False, data, b"header", bytearray(room)
            )


def test_a_nonce_prefix_of_another_length_is_refused() -> None:
    with pytest.raises(KeyFormatError):
        primitives.seal_segment(b"k" * 32, b"123456", 0, False, b"text", b"header")


@pytest.mark.parametrize("suite", list(Suite))
def test_what_is_sealed_to_a_key_opens_with_it_in_its_context_alone(suite: Suite) -> None:
    pair, other = primitives.generate_pair(suite), primitives.generate_pair(suite)

    sealed = primitives.seal_to(suite, pair.public, b"text", b"info")

    assert primitives.open_with(suite, pair.private, sealed, b"info") == b"text"
    for private, data, info in (
        (other.private, sealed, b"info"),
        (pair.private, sealed, b"other"),
        (pair.private, sealed[:-1], b"info"),
        (pair.private, b"", b"info"),
    ):
        with pytest.raises(OpenError):
            primitives.open_with(suite, private, data, info)


@pytest.mark.parametrize("suite", list(Suite))
def test_bytes_that_are_no_key_are_refused(suite: Suite) -> None:
    pair = primitives.generate_pair(suite)

    for public in (b"", pair.public[:-1], b"\4" + pair.public, b"\0" * len(pair.public)):
        with pytest.raises(KeyFormatError):
            primitives.seal_to(suite, public, b"text", b"")
    with pytest.raises(KeyFormatError):
        primitives.open_with(suite, pair.private[:-1], b"sealed", b"")


def test_comparison_randomness_and_forgetting() -> None:
    secret = bytearray(primitives.random(32))

    assert primitives.equal(secret, bytes(secret))
    assert not primitives.equal(secret, primitives.random(32))
    primitives.wipe(secret)
    assert secret == bytes(32)
    assert len(primitives.generate_signing_key()) == 32
    assert len({bytes(primitives.secret(32)) for _ in range(3)}) == 3
    assert len(primitives.secret(5)) == 5
