"""The productions several fields share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.errors import LocalError, PeerError
from pbx.sip.grammar import (
    checked,
    is_token,
    number,
    parameters,
    quote,
    split_list,
    token,
    unfolded,
    unquote,
    value_and_parameters,
    write_parameters,
)

WRITABLE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))


@pytest.mark.parametrize("text", ["a", "INVITE", "a-.!%*_+`'~9"])
def test_a_token_is_accepted(text: str) -> None:
    assert is_token(text)
    assert token(text, "X") == text


@pytest.mark.parametrize("text", ["", "a b", "a;b", '"a"', "é", "a\n", "<a>"])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert not is_token(text)
    with pytest.raises(PeerError, match=r"^X: is a token$"):
        token(text, "X")


def test_numbers_may_have_leading_zeros() -> None:
    assert number("0068", "X", 255) == 68


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "²", "٣", "1 ", "9" * 21, "256"])
def test_numbers_are_bounded_before_they_are_converted(text: str) -> None:
    with pytest.raises(PeerError):
        number(text, "X", 255)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        (";a", {"a": None}),
        (";A=b", {"a": "b"}),
        (" ; a = b ; c ", {"a": "b", "c": None}),
        ("\t;\ta\t=\tb", {"a": "b"}),
        (';a="b;c,d=e";f', {"a": '"b;c,d=e"', "f": None}),
        (';a="\\"";b', {"a": '"\\""', "b": None}),
        (";self=1;cls=2", {"self": "1", "cls": "2"}),
        (";received=2001:db8::1;maddr=[::1]", {"received": "2001:db8::1", "maddr": "[::1]"}),
    ],
)
def test_parameters(text: str, found: dict[str, str | None]) -> None:
    assert parameters(text, "X") == found
    assert parameters(write_parameters(found), "X") == found


@pytest.mark.parametrize(
    "text", [";", ";;a", "a", ";a=", ";=b", ';a="b', ";a=b c", ";a;A", ';a=1;a="2"', ";a=b;", ";é"]
)
def test_broken_or_repeated_parameters_are_refused(text: str) -> None:
    with pytest.raises(PeerError):
        parameters(text, "X")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (" a , b\t", ["a", "b"]),
        ('"A, B" <sip:a,b@c>;d=",", <sip:e>', ['"A, B" <sip:a,b@c>;d=","', "<sip:e>"]),
        ('"\\",\\\\",b', ['"\\",\\\\"', "b"]),
        ('"<", b', ['"<"', "b"]),
    ],
)
def test_a_list_is_split_at_commas_outside_quotes_and_brackets(
    text: str, pieces: list[str]
) -> None:
    assert split_list(text, "X") == pieces


@pytest.mark.parametrize(
    "text", ["", " ", "a,", ",a", "a,,b", '"a, b', "<a, b", '"a\\", b', "a,<<b>"]
)
def test_an_empty_element_or_an_open_quote_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        split_list(text, "X")


@given(WRITABLE)
def test_a_quoted_string_reads_as_what_was_quoted(text: str) -> None:
    assert unquote(quote(text)) == text


@given(st.lists(WRITABLE.map(quote), min_size=1))
def test_quoted_strings_in_a_list_stay_whole(pieces: list[str]) -> None:
    assert split_list(",".join(pieces), "X") == pieces


def test_text_that_is_not_quoted_is_not_changed_by_unquoting() -> None:
    assert unquote('a"b"') == 'a"b"'
    assert unquote('"') == '"'


def test_a_value_stands_before_its_parameters() -> None:
    assert value_and_parameters("a b ;c=d", "X") == ("a b", {"c": "d"})
    assert value_and_parameters("a", "X") == ("a", {})


@pytest.mark.parametrize("text", ["\r", "\n", "\0", "a\r\nb"])
def test_line_ends_and_nul_are_not_writable(text: str) -> None:
    with pytest.raises(LocalError, match=r"^X: contains no CR, LF or NUL$"):
        checked(text, "X")
    with pytest.raises(LocalError):
        quote(text)


def test_a_line_that_begins_with_a_space_continues_the_one_before() -> None:
    assert unfolded(["a", "b ", " c\t", "\t d", "", "e"]) == ["a", "b c d", "", "e"]
    assert unfolded([" a", "b"]) == [" a", "b"]
