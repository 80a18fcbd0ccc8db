"""Addresses: From, To, Contact, Route."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.address import Address, parse_addresses
from pbx.sip.errors import PeerError
from pbx.sip.uri import SipUri

DISPLAYS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
ADDRESSES = st.builds(
    Address,
    uri_text=st.sampled_from(["sip:a@b", "sips:a,b;c@d;e=f?g=h", "tel:+1-2", "urn:x:y"]),
    display=DISPLAYS,
    parameters=st.dictionaries(
        st.sampled_from(["tag", "q", "+sip.instance", "self"]),
        st.none() | st.sampled_from(["a", "0.5", '"<urn:uuid:1>"', '";,"']),
    ),
)


@pytest.mark.parametrize(
    ("text", "display", "uri", "parameters"),
    [
        ("<sip:a@b>", "", "sip:a@b", {}),
        ("sip:a@b", "", "sip:a@b", {}),
        ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
        ("<sip:a@b;x=1>;tag=1", "", "sip:a@b;x=1", {"tag": "1"}),
        ("caller<sip:a@b>", "caller", "sip:a@b", {}),
        ("The Caller  <sip:a@b>", "The Caller", "sip:a@b", {}),
        ("Müller <sip:a@b>", "Müller", "sip:a@b", {}),
        ('"A <x>, \\"B\\"" <sip:a@b> ; tag=1', 'A <x>, "B"', "sip:a@b", {"tag": "1"}),
        ('""<sip:a@b>', "", "sip:a@b", {}),
    ],
)
def test_an_address(text: str, display: str, uri: str, parameters: dict[str, str | None]) -> None:
    address = Address.parse(text, "To")

    assert address == Address(uri, display, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<sip:a@b",
        "sip:a@b>",
        '"A <sip:a@b>',
        "A, B <sip:a@b>",
        "< sip:a@b>",
        "<sip:a@b> x",
        "sip:a@b?x=y",
        "sip:a@b, sip:c@d",
        "A; B <sip:a@b>",
        "<sip:a@b>;tag=1;tag=2",
        '<sip:a"@b>',
        "1:a",
    ],
)
def test_a_broken_address_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match=r"^To: "):
        Address.parse(text, "To")


@given(ADDRESSES)
def test_an_address_reads_as_it_was_written(address: Address) -> None:
    assert Address.parse(str(address), "To") == address


@given(st.lists(ADDRESSES, min_size=1))
def test_addresses_in_one_line_stay_apart(addresses: list[Address]) -> None:
    line = ", ".join(map(str, addresses))

    assert parse_addresses([line, line], "Contact") == tuple(addresses * 2)


def test_the_uri_is_parsed_when_it_is_read() -> None:
    assert Address.parse("<sip:A@B>", "To").uri == SipUri(user="A", host="b")
    broken = Address.parse("<sip:a@@b>", "To")
    with pytest.raises(PeerError, match=r"^URI: "):
        broken.uri  # noqa: B018


def contact(parameters: str) -> Address:
    return Address.parse("<sip:a@b>" + parameters, "Contact")


@pytest.mark.parametrize(
    ("text", "q"), [("", 1.0), (";q=0", 0.0), (";q=0.", 0.0), (";q=0.25", 0.25), (";q=1.000", 1.0)]
)
def test_q_is_a_preference(text: str, q: float) -> None:
    assert contact(text).q == q


@pytest.mark.parametrize("text", [";q=1.1", ";q=2", ";q=-1", ";q=0.1234", ";q=nan", ";q=²"])
def test_a_q_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        contact(text).q  # noqa: B018


def test_q_without_a_value_is_as_absent() -> None:
    assert contact(";q").q == 1.0


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("", None),
        (";expires", None),
        (";expires=abc", None),
        (";expires=60", 60),
        (";expires=280297596632815", 2**32 - 1),
        (";expires=" + "9" * 500, 2**32 - 1),
    ],
)
def test_expires_is_bounded_and_unreadable_is_absent(text: str, expires: int | None) -> None:
    assert contact(text).expires == expires


def test_outbound_parameters() -> None:
    phone = contact(';+sip.instance="<urn:uuid:1>";reg-id=2')

    assert (phone.instance, phone.reg_id) == ("<urn:uuid:1>", 2)
    assert (contact("").instance, contact("").reg_id) == (None, None)


@pytest.mark.parametrize("number", ["0", "x", "2147483648", "12345678901"])
def test_a_reg_id_out_of_range_is_refused(number: str) -> None:
    with pytest.raises(PeerError):
        contact(f";reg-id={number}").reg_id  # noqa: B018
