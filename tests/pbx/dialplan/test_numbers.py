import pytest

from pbx.dialplan.numbers import MAX_DIGITS, dialled


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("1001", "1001"),
        ("(555) 010-1234", "5550101234"),
        ("+1.555.010.1234", "+15550101234"),
        ("*43", "*43"),
        ("#", "#"),
        ("", None),
        ("--", None),
        ("alice", None),
        ("1+1", None),
        ("²", None),
        ("1\r\n2", None),
        ("1" * MAX_DIGITS, "1" * MAX_DIGITS),
        ("1" * (MAX_DIGITS + 1), None),
    ],
)
def test_a_dialled_number_is_compared_in_one_form(user: str, number: str | None) -> None:
    assert dialled(user) == number
