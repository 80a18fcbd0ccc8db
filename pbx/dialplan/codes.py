"""Feature codes: dialled to have something done; no extension and no group takes one."""

from __future__ import annotations

from pbx.dialplan.emergency import is_reserved

ECHO_TEST = "*43"
OWN_MESSAGES = "*97"
DISTURB_NOT, DISTURB_AGAIN = "*78", "*79"
SEND_ON, SEND_ON_NO_MORE = "*72", "*73"
"""The first one stands before the extension that calls go to."""
SIGN_IN, SIGN_OUT = "*71", "*74"
"""On a shared phone; the first one alone, or before one's own number."""
OPEN_TO_ALL = frozenset({ECHO_TEST, OWN_MESSAGES, SIGN_OUT})
"""Also on a shared phone with nobody signed in, wherever that stands."""
LEAVE_MESSAGE = "*98"
"""Before an extension: straight to its mailbox, without ringing."""
PICK_UP = "*8"
"""Before an extension or a group: the call that rings there is answered here."""
PARK = "*70"
"""Whoever is put through to it is parked; with a slot behind it: that one, to be taken back."""

MOST_SLOTS = 99


def slot_of(number: str) -> int | None:
    """The slot that `*701` … `*7099` name, 0 for `*70` alone (any free one); None: no such code."""
    if not number.startswith(PARK):
        return None
    digits = number.removeprefix(PARK)
    if not digits:
        return 0
    is_slot = digits.isascii() and digits.isdigit() and len(digits) <= 2 and digits[0] != "0"
    return int(digits) if is_slot else None


def number_of_slot(slot: int) -> str:
    """What is dialled for it."""
    return f"{PARK}{slot}"


def is_kept(number: str) -> bool:
    """Whether nobody may have this number: it is kept for emergencies, or it is a code."""
    return is_reserved(number) or not (number.isascii() and number.isdigit())
