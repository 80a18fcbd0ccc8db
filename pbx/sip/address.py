"""name-addr / addr-spec with parameters: From, To, Contact, Route and their kin.

RFC 3261 section 20.10 and RFC 8217: a URI with a comma, semicolon or question mark stands
in angle brackets; without brackets whatever follows a semicolon belongs to the field.
"""

from __future__ import annotations

import re

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import (
    Parameters,
    parameters,
    quote,
    split_list,
    unescape_pairs,
    unquote,
    write_parameters,
)
from pbx.sip.uri import Uri, parse_uri

# The display name without quotes is tokens and spaces; letters beyond ASCII are let in.
_name_addr = re.compile(
    r'(?:"([^"\\]*+(?:\\.[^"\\]*+)*)"|([A-Za-z0-9\-.!%*_+`\'~ \t\u0080-\U0010ffff]*+))[ \t]*+'
    r"<([A-Za-z][^<>\s\"]*+)>[ \t]*+(.*+)",
    re.DOTALL,
).fullmatch
_addr_spec = re.compile(r"([A-Za-z][^<>\s\",;?]*+)[ \t]*+(.*+)", re.DOTALL).fullmatch


class Address(Struct, frozen=True):
    """One address; its URI is parsed when it is read."""

    uri_text: str
    display: str = ""
    parameters: Parameters = {}

    @classmethod
    def parse(cls, text: str, header: str) -> Address:
        """One name-addr or addr-spec with its parameters."""
        match = _name_addr(text)
        if match is not None:
            quoted, plain, uri, rest = match.groups()
            if quoted is None:
                display = plain.rstrip(" \t")
            else:
                display = unescape_pairs(quoted) if "\\" in quoted else quoted
        else:
            match = _addr_spec(text)
            if match is None:
                raise PeerError(header, "is a name-addr or an addr-spec")
            uri, rest = match.groups()
            display = ""
        return cls(uri, display, parameters(rest, header) if rest else {})

    @property
    def uri(self) -> Uri:
        """The URI; PeerError if it is none."""
        return parse_uri(self.uri_text)

    @property
    def tag(self) -> str | None:
        """The tag of a From or To."""
        return self.parameters.get("tag")

    @property
    def q(self) -> float:
        """The preference of a Contact, 0 to 1; 1 if absent (RFC 3261 section 20.10)."""
        value = self.parameters.get("q")
        if value is None:
            return 1.0
        if not re.fullmatch(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", value):
            raise PeerError("Contact", "q is 0 to 1 with at most three decimals")
        return float(value)

    @property
    def expires(self) -> int | None:
        """The expires parameter of a Contact; None if absent or unreadable (section 10.3)."""
        value = self.parameters.get("expires")
        if value is None or not (value.isascii() and value.isdigit()):
            return None
        return min(int(value[:20]), 2**32 - 1) if len(value) <= 20 else 2**32 - 1

    @property
    def instance(self) -> str | None:
        """+sip.instance without quotes (RFC 5626)."""
        value = self.parameters.get("+sip.instance")
        return value and unquote(value)

    @property
    def reg_id(self) -> int | None:
        """reg-id, 1 to 2**31 - 1 (RFC 5626 section 4.2)."""
        value = self.parameters.get("reg-id")
        if value is None:
            return None
        if not (
            value.isascii() and value.isdigit() and len(value) <= 10 and 0 < int(value) < 2**31
        ):
            raise PeerError("Contact", "reg-id is 1 to 2**31 - 1")
        return int(value)

    def __str__(self) -> str:
        display = quote(self.display) + " " if self.display else ""
        return f"{display}<{self.uri_text}>{write_parameters(self.parameters)}"


def parse_addresses(lines: list[str], header: str) -> tuple[Address, ...]:
    """The addresses of all lines of one field, in order."""
    return tuple(
        Address.parse(element, header) for line in lines for element in split_list(line, header)
    )
