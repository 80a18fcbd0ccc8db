"""The arithmetic of Digest access authentication, both sides (RFC 7616, RFC 8760).

Only qop=auth: without qop a response can be replayed for ever, and auth-int breaks at every
element that touches a body. `-sess` variants are not offered, so never accepted.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from enum import Enum

import msgspec

from pbx.sip.credentials import Challenge, Credentials
from pbx.sip.errors import LocalError


class Algorithm(Enum):
    """The hash algorithms of RFC 8760, by their registered names."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"

    @classmethod
    def named(cls, name: str) -> Algorithm | None:
        """By its name in any case: phones write sha-256 too."""
        return _ALGORITHMS.get(name.upper())


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}
_HASHES: dict[Algorithm, Callable[[bytes], hashlib._Hash]] = {
    Algorithm.MD5: lambda data: hashlib.md5(data, usedforsecurity=False),
    Algorithm.SHA_256: hashlib.sha256,
    Algorithm.SHA_512_256: lambda data: hashlib.new("sha512_256", data),
}


def ha1(algorithm: Algorithm, username: str, realm: str, password: str) -> bytes:
    """H(username ":" realm ":" password); what a device stores (RFC 7616 section 3.4.2)."""
    return _HASHES[algorithm](f"{username}:{realm}:{password}".encode()).digest()


def expected(algorithm: Algorithm, secret: bytes, method: str, credentials: Credentials) -> str:
    """The response that proves `secret`, the HA1, for qop=auth (RFC 7616 section 3.4.1)."""
    hashed = _HASHES[algorithm]
    ha2 = hashed(f"{method}:{credentials.uri}".encode()).hexdigest()
    nc = 0 if credentials.nc is None else credentials.nc
    text = f"{secret.hex()}:{credentials.nonce}:{nc:08x}:{credentials.cnonce}:auth:{ha2}"
    return hashed(text.encode()).hexdigest()


def verifies(algorithm: Algorithm, secret: bytes, method: str, credentials: Credentials) -> bool:
    """Whether the credentials prove knowledge of `secret`; takes the same time either way."""
    right = expected(algorithm, secret, method, credentials).encode()
    proven = hmac.compare_digest(right, credentials.response.lower().encode())
    return proven and is_complete(credentials) and names(credentials, algorithm)


def is_complete(credentials: Credentials) -> bool:
    """Whether they have all that qop=auth needs; a nonce count starts at 1."""
    return credentials.qop == "auth" and bool(credentials.cnonce) and bool(credentials.nc)


def names(credentials: Credentials, algorithm: Algorithm) -> bool:
    """Whether the credentials are of this algorithm."""
    return Algorithm.named(credentials.algorithm) is algorithm


def is_answerable(challenge: Challenge) -> bool:
    """Whether `answer` can do something with the challenge."""
    return Algorithm.named(challenge.algorithm) is not None and "auth" in challenge.qop


def answer(
    challenge: Challenge,
    username: str,
    password: str,
    request: tuple[str, str],
    *,
    cnonce: str,
    nc: int = 1,
) -> Credentials:
    """Credentials for a request, given as (method, Request-URI); the UAC's side."""
    algorithm = Algorithm.named(challenge.algorithm)
    if algorithm is None or "auth" not in challenge.qop:
        raise LocalError("challenge", "has an algorithm we know and qop auth")
    method, uri = request
    unproven = Credentials(
        username=username,
        realm=challenge.realm,
        nonce=challenge.nonce,
        uri=uri,
        response="",
        algorithm=challenge.algorithm,
        cnonce=cnonce,
        nc=nc,
        qop="auth",
        opaque=challenge.opaque,
    )
    secret = ha1(algorithm, username, challenge.realm, password)
    proof = expected(algorithm, secret, method, unproven)
    return msgspec.structs.replace(unproven, response=proof)
