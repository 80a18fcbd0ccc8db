"""Emergency numbers: direct dialling without a prefix and with one (47 CFR 9.16, Kari's Law)."""

from __future__ import annotations

EMERGENCY_NUMBERS = frozenset({"911", "9911"})
TEST_NUMBER = "933"
"""Test call: announces what an emergency call from this phone would do, and calls nobody."""

RESERVED = EMERGENCY_NUMBERS | {TEST_NUMBER}
"""No extension can take these, nor a number that begins with one of them."""


def is_emergency(number: str) -> bool:
    return number in EMERGENCY_NUMBERS


def is_reserved(number: str) -> bool:
    """True for a number that would shadow an emergency number or be shadowed by it."""
    return any(number.startswith(reserved) for reserved in RESERVED)
