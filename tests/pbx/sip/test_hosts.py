"""Hosts and ports."""

from __future__ import annotations

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.hosts import host, ipv6, port


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Example.COM", "example.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("my_phone", "my_phone"),
        ("[2001:DB8:0::9:1]", "[2001:db8::9:1]"),
        ("[::ffff:192.0.2.1]", "[::ffff:c000:201]"),
        ("[2001:db8:::192.0.2.1]", "[2001:db8::c000:201]"),
    ],
)
def test_a_host_is_kept_in_the_form_in_which_it_is_compared(text: str, found: str) -> None:
    assert host(text, "X") == found


@pytest.mark.parametrize("text", ["a..b", "a" * 256, "[::1::2]", "[1.2.3.4]", "[2001:db8:::1]"])
def test_a_host_that_is_neither_name_nor_address_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        host(text, "X")


def test_an_address_without_brackets_is_read_too() -> None:
    assert ipv6("2001:0DB8::1", "X") == "2001:db8::1"


@pytest.mark.parametrize(("text", "found"), [(None, None), ("05061", 5061), ("65535", 65535)])
def test_a_port(text: str | None, found: int | None) -> None:
    assert port(text, "X") == found


@pytest.mark.parametrize("text", ["0", "65536", "000001", "", "x", "²"])
def test_a_port_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        port(text, "X")
