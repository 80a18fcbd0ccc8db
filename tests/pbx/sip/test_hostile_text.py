"""No text of 16 KiB, the longest head there is, costs more than a fraction of a second.

A pattern that backtracks takes quadratic time on text like these: one such took half a second
a message. Each parser is given each unit repeated, behind what leads to its slowest place.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from pbx.sip.address import Address, parse_addresses
from pbx.sip.credentials import Credentials
from pbx.sip.errors import PeerError
from pbx.sip.grammar import parameters, split_list, unquote
from pbx.sip.parser import parse_message
from pbx.sip.uri import LONGEST, parse_uri
from pbx.sip.via import Via
from tests.support.quickness import least_seconds

LENGTH = 16_384
SECONDS = 0.1  # twenty times what the slowest takes

UNITS = [
    *["a", '"', "\\", '\\"', "<", ">", ",", ";", "=", ";a", "a;", "%41", "%", "a=", "a=b,"],
    *['"a",', "<a>,", " ", "\t", " ;", "a ", "[", ":", "::", "&a=", "?", ';a="x"', ';a="'],
    *[',a="b"', "@", "a@", "a.", "é", "(", "1", "-", "\r\n ", " \r\n\t", "a\r\n", "\\\0"],
]


def uri(prefix: str) -> Callable[[str], object]:
    return lambda text: parse_uri((prefix + text)[: LONGEST - 1] + "<")


def head(line: str) -> Callable[[str], object]:
    return lambda text: parse_message(f"OPTIONS sip:a SIP/2.0\r\n{line}{text}\r\n\r\n".encode())


PARSERS: dict[str, Callable[[str], object]] = {
    "parameters": lambda text: parameters(text + "(", "X"),
    "list": lambda text: split_list(text, "X"),
    "list in quotes": lambda text: split_list(f'"{text},', "X"),
    "quoted string": lambda text: unquote(f'"{text}'),
    "uri": uri("sip:"),
    "uri parameters": uri("sip:a@b;"),
    "uri headers": uri("sip:a@b?a="),
    "tel": uri("tel:+"),
    "other uri": uri("x:"),
    "address": lambda text: Address.parse(text, "X"),
    "display": lambda text: Address.parse(f'"{text}" <sip:a>;"', "X"),
    "display without quotes": lambda text: Address.parse(f"a {text}<", "X"),
    "address parameters": lambda text: Address.parse(f'<sip:a>{text}"', "X"),
    "addresses": lambda text: parse_addresses([text] * 4, "X"),
    "via": lambda text: Via.parse(f'SIP/2.0/TLS h{text}"'),
    "via protocol": lambda text: Via.parse(f'SIP {text}"'),
    "credentials": lambda text: Credentials.parse(f"Digest a=b{text}("),
    "credential": lambda text: Credentials.parse(f'Digest a="{text}'),
    "line": head("X: "),
    "name": head(""),
    "folded line": head("X:\r\n "),
    "nul": head("X: \\\0"),
    "call-id": head("Call-ID: "),
}


@pytest.mark.parametrize("name", PARSERS)
def test_no_text_is_slow(name: str) -> None:
    """Slow is what is slow each time: a busy machine makes one try as slow as it likes."""
    for unit in UNITS:
        text = (unit * LENGTH)[:LENGTH]

        def read(text: str = text) -> None:
            with suppress(PeerError):
                PARSERS[name](text)

        least = least_seconds(read, SECONDS)
        assert least < SECONDS, f"{unit!r} took {least:.3f} s"
