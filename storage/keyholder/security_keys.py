"""Security keys (FIDO2) as a second factor: registered and verified here, beside the codes.

WebAuthn Level 3 §7.1 and §7.2 for a relying party without a browser. Who made the key is not asked
(attestation "none"): it is the owner who registers it, with password and present factor. A touch is
demanded, the key's own PIN is not: the password is the other factor. A key comes beside the app,
never instead of it, so losing one locks nobody out, and nothing here can switch the factor off.
"""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from cryptography.exceptions import InvalidSignature
from fido2 import cbor
from fido2.cose import ES256, CoseKey, EdDSA
from fido2.utils import websafe_decode
from fido2.webauthn import AttestationObject

from storage.keyholder import acts
from storage.keyholder.core import No
from storage.keyholder.factors import WeakSecret
from storage.keyholder.presence import (
    ORIGIN,
    Assertion,
    Registration,
    bound_challenge,
    relying_party,
)
from storage.keyholder.proofs import SealedProof
from storage.keyholder.protocol import Notice
from storage.keyholder.records import Factors, Person, SecurityKey
from storage.sealed import primitives

MOST = 8
_PRESENT = 0x01
_HEAD = struct.Struct(">32sBI")
"""Relying party's hash, flags, signature counter (WebAuthn §6.1)."""

_BROKEN = (ValueError, TypeError, KeyError, IndexError, struct.error, RecursionError)
"""What fido2 raises for bytes that are no attestation object, and `json` for no client data."""


Change = Callable[[Person, Factors], Person]


def adding(proof: SealedProof, act: acts.AddSecurityKey, signing_key: bytes, now: int) -> Change:
    """Raises for a registration that is none before anything else is looked at."""
    key = registered(proof, act, signing_key, now)

    def add(person: Person, held: Factors) -> Person:
        return _with(person, added(held, key), Notice("security-key-added", now))

    return add


def removing(act: acts.RemoveSecurityKey, now: int) -> Change:
    def remove(person: Person, held: Factors) -> Person:
        left = tuple(key for key in held.keys if key.id != act.key)
        if len(left) == len(held.keys):
            raise No("no such security key")
        changed = msgspec.structs.replace(held, keys=left)
        return _with(person, changed, Notice("security-key-removed", now))

    return remove


def _with(person: Person, changed: Factors, notice: Notice) -> Person:
    return msgspec.structs.replace(person, factors=changed, notices=(*person.notices, notice))


def registered(
    proof: SealedProof, act: acts.AddSecurityKey, signing_key: bytes, now: int
) -> SecurityKey:
    """The new key, or the rule that its registration breaks."""
    try:
        made = msgspec.msgpack.decode(proof.secrets.registration, type=Registration)
        attested = AttestationObject(made.attestation).auth_data
        credential = attested.credential_data
        public = credential and credential.public_key
    except (*_BROKEN, msgspec.MsgspecError):
        raise WeakSecret("security key: the registration is not valid") from None
    if not _is_ours(attested, made.client_data, proof, signing_key, "webauthn.create"):
        raise WeakSecret("security key: the registration is not for this act")
    if credential is None or not isinstance(public, ES256 | EdDSA):
        raise WeakSecret("security key: signs neither with ES256 nor with EdDSA")
    return SecurityKey(
        id=act.key,
        label=act.label,
        credential=credential.credential_id,
        public=cbor.encode(public),
        counter=attested.counter,
        added=now,
    )


def added(held: Factors, key: SecurityKey) -> Factors:
    """Another key beside the others; one that is known already is refused."""
    if any(key.credential == known.credential or key.id == known.id for known in held.keys):
        raise WeakSecret("security key: is one of yours already")
    if len(held.keys) >= MOST:
        raise WeakSecret(f"security key: {MOST} are the most one person has")
    return msgspec.structs.replace(held, keys=(*held.keys, key))


def spend_assertion(held: Factors, proof: SealedProof, signing_key: bytes) -> Factors | None:
    """The factors with the key's counter moved on; None if nothing of this person's signed it.

    The challenge it signed is taken once by the key holder, so an assertion works once; a counter
    that does not rise tells of a copied key (WebAuthn §6.1.1)."""
    try:
        made = msgspec.msgpack.decode(proof.secrets.assertion, type=Assertion)
    except msgspec.MsgspecError:
        return None
    key = next((key for key in held.keys if key.credential == made.credential), None)
    if key is None or not _is_ours(
        made.authenticator_data, made.client_data, proof, signing_key, "webauthn.get"
    ):
        return None
    counter: int = _HEAD.unpack_from(made.authenticator_data)[2]
    if not _is_signed(key, made) or (counter <= key.counter and (counter or key.counter)):
        return None
    moved = msgspec.structs.replace(key, counter=counter)
    return msgspec.structs.replace(
        held, keys=tuple(moved if known is key else known for known in held.keys)
    )


def _is_ours(
    authenticator_data: bytes,
    client_data: bytes,
    proof: SealedProof,
    signing_key: bytes,
    ceremony: str,
) -> bool:
    """Made for this key holder, this act and this challenge, with somebody touching the key."""
    if len(authenticator_data) < _HEAD.size:
        return False
    party, flags, _ = _HEAD.unpack_from(authenticator_data)
    wanted = bound_challenge(proof.challenge, proof.digest, proof.session)
    said = _said(client_data)
    return (
        primitives.equal(party, primitives.sha256(relying_party(signing_key).encode()))
        and bool(flags & _PRESENT)
        and (said.get("type"), said.get("origin")) == (ceremony, ORIGIN)
        and primitives.equal(_decoded(said.get("challenge")), wanted)
    )


def _said(client_data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(client_data)
    except _BROKEN:
        return {}
    return said if isinstance(said, dict) else {}


def _decoded(text: object) -> bytes:
    try:
        return bytes(websafe_decode(text)) if isinstance(text, str) else b""
    except _BROKEN:
        return b""


def _is_signed(key: SecurityKey, made: Assertion) -> bool:
    signed = bytes(made.authenticator_data) + primitives.sha256(made.client_data)
    try:
        CoseKey.parse(cast(Mapping[int, Any], cbor.decode(key.public))).verify(
            signed, made.signature
        )
    except InvalidSignature:
        return False
    return True
