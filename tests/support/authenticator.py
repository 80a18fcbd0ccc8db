"""A security key made of software: the other side of CTAP2, byte for byte (FIDO CTAP 2.1 §6).

It keeps discoverable ES256 credentials, counts its signatures, signs what it is given, and knows
nothing of the exchange. `touched` is the finger.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.ctap import STATUS, CtapDevice, CtapError
from fido2.hid import CAPABILITY

USER_PRESENT, ATTESTED = 0x01, 0x40
MAKE, GET, INFO, NEXT = 0x01, 0x02, 0x04, 0x08


@dataclass
class Credential:
    """What the key keeps of one registration."""

    party: str
    user: dict[str, Any]
    id: bytes = field(default_factory=lambda: os.urandom(32))
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def cose(self) -> dict[int, Any]:
        """RFC 9053 §7.1.1: an EC2 key on P-256 for ES256."""
        numbers = self.private.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}

    def sign(self, signed: bytes) -> bytes:
        return self.private.sign(signed, ec.ECDSA(hashes.SHA256()))


class Authenticator(CtapDevice):
    """One key in one port."""

    capabilities = CAPABILITY.CBOR

    def __init__(self, *, can_keep: bool = True) -> None:
        self.credentials: list[Credential] = []
        self.counter = 0
        self.touched = True
        self.is_pulled_out = False
        self._can_keep = can_keep
        self._waiting: list[tuple[Credential, bytes]] = []

    @classmethod
    def list_devices(cls) -> Iterator["Authenticator"]:
        yield cls()

    def call(
        self,
        cmd: int,
        data: bytes = b"",
        event: Event | None = None,
        on_keepalive: Callable[[STATUS], None] | None = None,
    ) -> bytes:
        if self.is_pulled_out:
            raise OSError("gone")
        asked: Any = cbor.decode(data[1:]) if data[1:] else {}
        try:
            match data[0]:
                case 0x04:
                    answer = self._info()
                case 0x01:
                    self._touch(on_keepalive)
                    answer = self._make(asked)
                case 0x02:
                    answer = self._get(asked, on_keepalive)
                case 0x08:
                    answer = self._assertion(*self._waiting.pop(0), USER_PRESENT)
                case _:
                    return bytes([CtapError.ERR.INVALID_COMMAND])
        except CtapError as error:
            return bytes([error.code])
        return b"\0" + cbor.encode(answer)

    def _info(self) -> dict[int, Any]:
        return {1: ["FIDO_2_0"], 3: bytes(16), 4: {"rk": self._can_keep, "up": True}, 5: 1200}

    def _touch(self, on_keepalive: Callable[[STATUS], None] | None) -> None:
        if on_keepalive is not None:
            on_keepalive(STATUS.UPNEEDED)
        if not self.touched:
            raise CtapError(CtapError.ERR.USER_ACTION_TIMEOUT)

    def _make(self, asked: dict[int, Any]) -> dict[int, Any]:
        if -7 not in [one["alg"] for one in asked[4]]:
            raise CtapError(CtapError.ERR.UNSUPPORTED_ALGORITHM)
        made = Credential(asked[2]["id"], dict(asked[3]))
        self.credentials = [
            known
            for known in self.credentials
            if (known.party, known.user["id"]) != (made.party, made.user["id"])
        ] + [made]
        data = attested(made, self._count())
        signature = made.sign(data + asked[1])
        return {1: "packed", 2: data, 3: {"alg": -7, "sig": signature}}

    def _get(
        self, asked: dict[int, Any], on_keepalive: Callable[[STATUS], None] | None
    ) -> dict[int, Any]:
        found = [one for one in self.credentials if one.party == asked[1]]
        if not found:
            raise CtapError(CtapError.ERR.NO_CREDENTIALS)
        flags = USER_PRESENT if asked.get(5, {}).get("up", True) else 0
        if flags:
            self._touch(on_keepalive)
        self._waiting = [(one, asked[2]) for one in found[1:]]
        answer = self._assertion(found[0], asked[2], flags)
        return answer | ({5: len(found)} if len(found) > 1 else {})

    def _assertion(self, credential: Credential, client: bytes, flags: int) -> dict[int, Any]:
        # A look without a touch is not counted, as with real keys.
        data = head(credential.party, flags, self._count() if flags else self.counter)
        return {
            1: {"id": credential.id, "type": "public-key"},
            2: data,
            3: credential.sign(data + client),
            4: {"id": credential.user["id"]},
        }

    def _count(self) -> int:
        self.counter += 1
        return self.counter


def head(party: str, flags: int, counter: int) -> bytes:
    """WebAuthn §6.1: hash of the relying party, flags, counter."""
    return hashlib.sha256(party.encode()).digest() + struct.pack(">BI", flags, counter)


def attested(credential: Credential, counter: int, public: dict[int, Any] | None = None) -> bytes:
    """WebAuthn §6.5.1: the head, then AAGUID, identifier and public key."""
    key = cbor.encode(public or credential.cose())
    body = bytes(16) + len(credential.id).to_bytes(2) + credential.id + key
    return head(credential.party, USER_PRESENT | ATTESTED, counter) + body
