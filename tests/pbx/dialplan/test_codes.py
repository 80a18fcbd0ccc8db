import pytest

from pbx.dialplan.codes import is_kept, number_of_slot, slot_of


@pytest.mark.parametrize(
    ("number", "slot"),
    [
        ("*70", 0), ("*701", 1), ("*7020", 20), ("*7099", 99),
        ("*700", None), ("*70100", None), ("*70#", None), ("*71", None), ("701", None),
    ],
)  # fmt: skip
def test_a_slot_is_one_or_two_digits_behind_the_code(number: str, slot: int | None) -> None:
    assert slot_of(number) == slot


def test_what_is_dialled_for_a_slot_is_read_as_it() -> None:
    assert all(slot_of(number_of_slot(slot)) == slot for slot in range(1, 100))


@pytest.mark.parametrize("number", ["911", "9115", "933", "*70", "*8", "#1", "12a", "²1", ""])
def test_codes_and_emergency_numbers_are_nobodys(number: str) -> None:
    assert is_kept(number)


def test_an_ordinary_number_may_be_somebodys() -> None:
    assert not is_kept("1001")
