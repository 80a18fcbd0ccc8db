import pytest

from pbx.dialplan.emergency import is_emergency, is_reserved


@pytest.mark.parametrize("number", ["911", "9911"])
def test_emergency_numbers_are_dialled_with_and_without_prefix(number: str) -> None:
    assert is_emergency(number)


@pytest.mark.parametrize("number", ["933", "91", "9110", "112", "1001", ""])
def test_nothing_else_is_an_emergency_number(number: str) -> None:
    assert not is_emergency(number)


@pytest.mark.parametrize("number", ["911", "9911", "933", "9110", "91122", "9330"])
def test_no_extension_can_shadow_a_reserved_number(number: str) -> None:
    assert is_reserved(number)


@pytest.mark.parametrize("number", ["91", "9", "99", "1911", "930"])
def test_other_numbers_are_free(number: str) -> None:
    assert not is_reserved(number)
