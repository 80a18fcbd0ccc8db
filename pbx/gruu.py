"""Globally routable user agent URIs (RFC 5627): one phone among those of a device's identity.

Only public ones: a temporary GRUU hides an address of record, and ours name no person. Nothing is
kept for them: what a GRUU names is what its registration said, for as long as that lasts.
"""

from __future__ import annotations

from msgspec import Struct

from pbx.sip.uri import SipUri, Uri


class Gruu(Struct, frozen=True):
    """What a public GRUU says."""

    user: str
    """The SIP identity of a device."""
    instance: str
    """As +sip.instance has it, in angle brackets."""


def public(user: str, domain: str, instance: str) -> str:
    """The URI by which everybody reaches this instance of a device (§4.2)."""
    return str(SipUri(scheme="sip", user=user, host=domain, parameters={"gr": instance[1:-1]}))


def is_urn(instance: str | None) -> bool:
    """Whether a phone's instance is fit for a GRUU: a URN in angle brackets (RFC 5626 §4.1)."""
    return (
        instance is not None
        and instance[:5].lower() == "<urn:"
        and instance[-1] == ">"
        and instance.isascii()
        and instance.isprintable()
    )


def read(uri: Uri, domain: str) -> Gruu | None:
    """None: not a public GRUU of ours."""
    if not isinstance(uri, SipUri) or uri.host != domain or uri.user is None:
        return None
    urn = uri.parameters.get("gr")
    return Gruu(uri.user, f"<{urn}>") if urn else None


def names(gruu_instance: str, instance: str | None) -> bool:
    """Whether two instances are one; a URN's first parts and a UUID have no case (RFC 8141 §3)."""
    return instance is not None and gruu_instance.lower() == instance.lower()
