"""Which number a person or a group may be given."""

from typing import Final

from pbx.access.errors import RuleBroken
from pbx.dialplan.codes import is_kept

MOST_DIGITS: Final = 15
"""As E.164 has it; phones and people dial no longer ones."""


def check_number(number: str) -> None:
    if not (number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS):
        raise RuleBroken(f"an extension has 1 to {MOST_DIGITS} digits and nothing else")
    if is_kept(number):
        raise RuleBroken("this number is kept for emergency calls, as is what begins with it")
