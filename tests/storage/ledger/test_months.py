from hypothesis import given
from hypothesis import strategies as st

from storage.ledger.months import following, month_of, start_of


@given(micros=st.integers(0, 4_000_000_000_000_000))
def test_a_moment_lies_between_the_starts_of_its_month_and_the_next(micros: int) -> None:
    month = month_of(micros)

    assert start_of(month) <= micros < start_of(following(month))


def test_december_is_followed_by_january() -> None:
    assert following(202612) == 202701
    assert following(202611) == 202612
