"""Emergency numbers: direct dialling without a prefix and with one (47 CFR 9.16, Kari's Law)."""

from __future__ import annotations

EMERGENCY_NUMBERS = frozenset({"911", "9911"})
TEST_NUMBER = "933"
"""Test call: announces what an emergency call from this phone would do, and calls nobody."""

SERVICE = "urn:service:sos"
SERVICE_NUMBER = "911"
"""What a call to the service is written down as."""

RESERVED = EMERGENCY_NUMBERS | {TEST_NUMBER}
"""No extension can take these, nor a number that begins with one of them."""


def is_service(uri: str) -> bool:
    """urn:service:sos and the services within it (RFC 5031 §4.1)."""
    service = uri.strip().lower()
    return service == SERVICE or service.startswith(f"{SERVICE}.")


def is_emergency(number: str) -> bool:
    return number in EMERGENCY_NUMBERS


def is_reserved(number: str) -> bool:
    """True for a number that would shadow an emergency number or be shadowed by it."""
    return any(number.startswith(reserved) for reserved in RESERVED)
