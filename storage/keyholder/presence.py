"""What a security key (FIDO2, WebAuthn) is asked to sign: this act, on this challenge, once.

The challenge of WebAuthn is made from the key holder's one-time challenge, the digest of the act
and the session, as a sealed proof is bound to them; so an assertion fits nothing else. The relying
party is the pinned key holder: a key that serves two exchanges has a credential for each.
"""

import msgspec

from storage.sealed import primitives

ORIGIN = "hipaa-pbx:terminal"


class Assertion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer of a security key (WebAuthn Level 3 §7.2), sealed inside a proof."""

    credential: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new credential as the security key made it (WebAuthn Level 3 §7.1)."""

    attestation: bytes
    client_data: bytes


def relying_party(signing_key: bytes) -> str:
    """The name a credential is bound to: this key holder's, by its pinned key."""
    return primitives.sha256(b"relying party v1\0", signing_key).hex()[:16] + ".hipaa-pbx"


def bound_challenge(challenge: bytes, digest: bytes, session: bytes) -> bytes:
    """Both sides compute it; each part has its length in front, so none runs into the next."""
    parts = [len(part).to_bytes(4, "big") + part for part in (challenge, digest, session)]
    return primitives.sha256(b"hipaa-pbx webauthn v1\0", *parts)


def user_handle(login: str) -> bytes:
    """By which a terminal tells one person's credential from another's on the same key."""
    return primitives.sha256(b"user handle v1\0", login.casefold().encode())[:16]
