"""The arithmetic of Digest, both sides."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.credentials import Challenge, Credentials
from pbx.sip.digest import Algorithm, answer, ha1, is_answerable, verifies
from pbx.sip.errors import LocalError

# RFC 7616 section 3.9.1
VECTORS = {
    Algorithm.MD5: "8ca523f5e9506fed4657c9700eebdbec",
    Algorithm.SHA_256: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


def credentials(algorithm: Algorithm, response: str) -> Credentials:
    return Credentials(
        username="Mufasa",
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        uri="/dir/index.html",
        response=response,
        algorithm=algorithm.value,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        nc=1,
        qop="auth",
    )


def secret(algorithm: Algorithm, life: str = "Life") -> bytes:
    return ha1(algorithm, "Mufasa", "http-auth@example.org", f"Circle of {life}")


@pytest.mark.parametrize("algorithm", VECTORS)
def test_the_examples_of_rfc_7616_verify(algorithm: Algorithm) -> None:
    proof = credentials(algorithm, VECTORS[algorithm])

    assert verifies(algorithm, secret(algorithm), "GET", proof)
    assert verifies(
        algorithm, secret(algorithm), "GET", credentials(algorithm, VECTORS[algorithm].upper())
    )


@pytest.mark.parametrize("algorithm", VECTORS)
def test_nothing_else_verifies(algorithm: Algorithm) -> None:
    right = credentials(algorithm, VECTORS[algorithm])
    wrong = [
        {"response": "0" * len(right.response)},
        {"response": ""},
        {"response": "é"},
        {"nonce": "other"},
        {"uri": "/other"},
        {"cnonce": "other"},
        {"cnonce": None},
        {"cnonce": ""},
        {"nc": 2},
        {"nc": 0},
        {"nc": None},
        {"qop": "auth-int"},
        {"qop": None},
        {"algorithm": algorithm.value + "-sess"},
        {"algorithm": "SHA-512-256"},
    ]

    for change in wrong:
        proof = msgspec.structs.replace(right, **change)
        assert not verifies(algorithm, secret(algorithm), "GET", proof), change
    assert not verifies(algorithm, secret(algorithm), "PUT", right)
    assert not verifies(algorithm, secret(algorithm, "Lives"), "GET", right)


def test_algorithm_names_are_compared_without_case() -> None:
    assert Algorithm.named("sha-256") is Algorithm.SHA_256
    assert Algorithm.named("md5") is Algorithm.MD5
    assert Algorithm.named("SHA-512-256") is Algorithm.SHA_512_256
    assert Algorithm.named("MD5-sess") is None


@given(
    st.sampled_from(Algorithm),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(1, 2**32 - 1),
)
def test_our_answers_verify(algorithm: Algorithm, username: str, password: str, nc: int) -> None:
    challenge = Challenge(realm="r", nonce="n", algorithm=algorithm.value.lower(), opaque="o")

    proof = answer(challenge, username, password, ("REGISTER", "sip:r"), cnonce="c", nc=nc)

    assert (proof.opaque, proof.nc, proof.username) == ("o", nc, username)
    assert verifies(algorithm, ha1(algorithm, username, "r", password), "REGISTER", proof)


@pytest.mark.parametrize(
    "challenge",
    [
        Challenge(realm="r", nonce="n", algorithm="MD5-sess"),
        Challenge(realm="r", nonce="n", qop=("auth-int",)),
        Challenge(realm="r", nonce="n", qop=("",)),
    ],
)
def test_a_challenge_we_cannot_answer_is_not_answered(challenge: Challenge) -> None:
    assert not is_answerable(challenge)
    with pytest.raises(LocalError):
        answer(challenge, "a", "b", ("REGISTER", "sip:r"), cnonce="c")
    assert is_answerable(Challenge(realm="r", nonce="n"))
