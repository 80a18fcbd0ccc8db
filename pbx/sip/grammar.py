"""The productions of RFC 3261 section 25 that several fields share.

Sets have possessive quantifiers and alternatives differ in their first character, so that
hostile text costs linear time. Groups are never possessive: CPython 3.11.2 matches too much
then (gh-106052). Every number is bounded in digits before it is converted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pbx.sip.errors import LocalError, PeerError

Parameters = Mapping[str, str | None]
"""Lower-case name to value as written (quoted strings keep their quotes); None: no value."""

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"  # noqa: S105  # an ABNF production
# quoted-string, already unfolded; NUL never reaches us (parser.py)
QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*"'
# gen-value = token / host / quoted-string; host brings ":" and brackets (RFC 5118 section 4.5)
VALUE = r"(?:[A-Za-z0-9\-.!%*_+`'~:\[\]]++|" + QUOTED + ")"

_token = re.compile(TOKEN).fullmatch
_quoted = re.compile(QUOTED, re.DOTALL).fullmatch
_parameters = re.compile(
    rf"(?:[ \t]*+;[ \t]*+{TOKEN}(?:[ \t]*+=[ \t]*+{VALUE})?)*[ \t]*+", re.DOTALL
).fullmatch
_parameter = re.compile(rf";[ \t]*+({TOKEN})(?:[ \t]*+=[ \t]*+({VALUE}))?", re.DOTALL).finditer
_pair = re.compile(r"\\(.)", re.DOTALL)
_element = re.compile(rf"(?:[^,\"<]++|{QUOTED}|<[^<>]*+>)*", re.DOTALL).match


def is_token(text: str) -> bool:
    """Whether the whole text is one token."""
    return _token(text) is not None


def token(text: str, header: str) -> str:
    """The text, which must be one token."""
    if _token(text) is None:
        raise PeerError(header, "is a token")
    return text


def number(text: str, header: str, highest: int) -> int:
    """A decimal number; leading zeros are allowed, more than 20 digits are not."""
    if not (len(text) <= 20 and text.isascii() and text.isdigit()):
        raise PeerError(header, "is a number")
    value = int(text)
    if value > highest:
        raise PeerError(header, f"is at most {highest}")
    return value


def parameters(text: str, header: str) -> dict[str, str | None]:
    """*( SEMI generic-param ): the text starts at the first semicolon, or is empty."""
    found: dict[str, str | None] = {}
    if not text:
        return found
    if _parameters(text) is None:
        raise PeerError(header, "parameters are ;name or ;name=value")
    if '"' in text or " " in text or "\t" in text:
        pairs = [(match[1], match[2]) for match in _parameter(text)]
        found = {name.lower(): value for name, value in pairs}
        expected = len(pairs)
    else:
        pieces = text.split(";")[1:]
        for piece in pieces:
            name, equals, value = piece.partition("=")
            found[name.lower()] = value if equals else None
        expected = len(pieces)
    if len(found) != expected:
        raise PeerError(header, "a parameter appears once")
    return found


def write_parameters(parameters: Parameters) -> str:
    """The reverse of `parameters`."""
    if not parameters:
        return ""
    return "".join(
        [f";{name}" if value is None else f";{name}={value}" for name, value in parameters.items()]
    )


def split_list(text: str, header: str) -> list[str]:
    """Elements between commas, respecting quoted strings and angle brackets."""
    if "," not in text:
        pieces = [text]
    elif '"' not in text and "<" not in text:
        pieces = text.split(",")
    else:
        pieces = _split_quoted(text, header)
    pieces = [piece.strip(" \t") for piece in pieces]
    if "" in pieces:
        raise PeerError(header, "no element of a list is empty")
    return pieces


def _split_quoted(text: str, header: str) -> list[str]:
    pieces: list[str] = []
    start = 0
    while True:
        match = _element(text, start)
        end = match.end() if match else start
        pieces.append(text[start:end])
        if end == len(text):
            return pieces
        if text[end] != ",":
            raise PeerError(header, "quotes and angle brackets are closed")
        start = end + 1


def unfolded(lines: list[str]) -> list[str]:
    """Lines that begin with a space continue the one before (LWS); never a regular expression:
    one that looks for the spaces before a line end takes quadratic time."""
    whole: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and whole:
            whole[-1].append(line)
        else:
            whole.append([line])
    return [
        pieces[0] if len(pieces) == 1 else " ".join([piece.strip(" \t") for piece in pieces])
        for pieces in whole
    ]


def quote(text: str) -> str:
    """A quoted-string that reads as `text`."""
    return '"' + checked(text, "quoted-string").replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """What a quoted-string reads as; other text stays as it is."""
    if _quoted(text) is None:
        return text
    return unescape_pairs(text[1:-1])


def unescape_pairs(text: str) -> str:
    """What the inside of a quoted-string reads as."""
    return _pair.sub(r"\1", text) if "\\" in text else text


def checked(text: str, header: str) -> str:
    """The text, which may be written into a head: no CR, no LF, no NUL (header injection)."""
    if not text.isprintable() and ("\r" in text or "\n" in text or "\0" in text):
        raise LocalError(header, "contains no CR, LF or NUL")
    return text


def value_and_parameters(text: str, header: str) -> tuple[str, dict[str, str | None]]:
    """What stands before the first semicolon, and the parameters after it."""
    value, semicolon, rest = text.partition(";")
    return value.strip(" \t"), parameters(semicolon + rest, header)
