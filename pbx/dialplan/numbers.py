"""What a person dialled, in the one form the plan compares (RFC 3966 §5.1.1 visual separators)."""

from __future__ import annotations

_SEPARATORS = str.maketrans("", "", "-.() ")
_DIALLABLE = frozenset("0123456789*#+")
MAX_DIGITS = 32
"""E.164 has 15 digits; with a prefix and a feature code 32 is plenty."""


def dialled(user: str) -> str | None:
    """The digits of a Request-URI's user part, or None when it is not a number at all."""
    number = user.translate(_SEPARATORS)
    if not 0 < len(number) <= MAX_DIGITS or not _DIALLABLE.issuperset(number):
        return None
    if "+" in number[1:]:
        return None
    return number
