"""pbx/admin/numbering.py"""

import pytest

from pbx.access.errors import RuleBroken
from pbx.admin.numbering import check_number


@pytest.mark.parametrize("number", ["0", "1042", "123456789012345"])
def test_a_number_that_phones_dial_may_be_given(number: str) -> None:
    check_number(number)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("abc", "has 1 to 15 digits"),
        ("*97", "has 1 to 15 digits"),
        ("+12025550147", "has 1 to 15 digits"),
        ("\uff11\uff10", "has 1 to 15 digits"),
        ("1234567890123456", "has 1 to 15 digits"),
        ("911", "kept for emergency calls"),
        ("91142", "kept for emergency calls"),
    ],
)
def test_no_other_may(number: str, why: str) -> None:
    with pytest.raises(RuleBroken, match=why):
        check_number(number)
