"""One whole message from its bytes (RFC 3261 sections 7 and 25, RFC 4475, RFC 5118).

Strict where two readers could disagree: lines end in CRLF, singular fields appear once,
Content-Length is present and right. The fields that routing reads are complete when this
returns; the rest is parsed by whoever reads it.
"""

from __future__ import annotations

import re

from pbx.sip.errors import PeerError
from pbx.sip.grammar import number, token
from pbx.sip.headers import Field, Headers
from pbx.sip.message import Request, Response
from pbx.sip.names import KNOWN, SINGULAR, canonical
from pbx.sip.salvage import salvage

MOST_FIELDS = 256
"""Lines in a head. The longest sane messages have about 60."""

LONGEST_BODY = 2**31 - 1

# word [ "@" word ]
_WORD = r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]++"
_call_id = re.compile(rf"{_WORD}(?:@{_WORD})?+").fullmatch
_fold = re.compile(r"[ \t]*+\r\n[ \t]++")
_quoted_pair = re.compile(r"\\(.)", re.DOTALL)
_version = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE).fullmatch


def parse_message(data: bytes, *, stream: bool = True) -> Request | Response:
    """The message, or PeerError with the status to answer and, if possible, what to answer.

    `stream`: Content-Length must be there and equal what was framed. Where frames are
    messages (RFC 7118) it may be absent, and surplus bytes are discarded (section 18.3).
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise PeerError("head", "ends with an empty line")
    text = str(data[:end], "utf-8", "replace")
    try:
        lines = _lines(text)
        headers = _headers(lines)
        body = _body(data[end + 4 :], headers.first("Content-Length"), stream)
        return _message(lines[0], headers, body)
    except PeerError as error:
        error.request = salvage(text)
        raise


def _lines(text: str) -> list[str]:
    if "\0" in text:
        text = _without_nul(text)
    if "\r\n " in text or "\r\n\t" in text:
        text = _fold.sub(" ", text)
    lines = text.split("\r\n")
    ends = len(lines) - 1
    if text.count("\n") != ends or text.count("\r") != ends:
        raise PeerError("head", "CR and LF stand together only")
    if ends > MOST_FIELDS:
        raise PeerError("head", f"has at most {MOST_FIELDS} lines")
    return lines


def _without_nul(text: str) -> str:
    # A quoted pair may hold NUL (RFC 4475 section 3.1.1.2). We never write one, so it goes.
    text = _quoted_pair.sub(lambda match: "" if match[1] == "\0" else match[0], text)
    if "\0" in text:
        raise PeerError("head", "NUL stands in a quoted pair only")
    return text


def _headers(lines: list[str]) -> Headers:
    fields: list[Field] = []
    first: dict[str, str] = {}
    known = KNOWN.get
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = known(name)
        if key is None:
            name = name.rstrip(" \t")
            key = canonical(name)
        if not colon:
            raise PeerError("header line", "has a colon")
        value = value.strip(" \t")
        if key not in first:
            first[key] = value
        elif key in SINGULAR:
            raise PeerError(key, "appears once")
        fields.append((key, name, value))
    return Headers.parsed(fields, first)


def _body(rest: bytes, length: str | None, stream: bool) -> bytes:
    if length is None:
        if stream:
            raise PeerError("Content-Length", "is present")
        return rest
    size = number(length, "Content-Length", LONGEST_BODY)
    if size > len(rest) or (stream and size != len(rest)):
        raise PeerError("Content-Length", "is the length of the body")
    return rest[:size]


def _message(start_line: str, headers: Headers, body: bytes) -> Request | Response:
    parts = start_line.split(" ", 2)
    message: Request | Response
    if parts[0][:4].upper() == "SIP/":
        message = _response(parts, headers, body)
    else:
        message = _request(parts, headers, body)
    call_id = headers.first("Call-ID")
    if call_id is None or len(call_id) > 255 or _call_id(call_id) is None:
        raise PeerError("Call-ID", "is present, a word or two around an at sign")
    cseq = message.cseq
    message.via, message.from_, message.to  # noqa: B018  # raises now what would raise later
    if isinstance(message, Request) and cseq.method != message.method:
        raise PeerError("CSeq", "names the method of the request")
    return message


def _request(parts: list[str], headers: Headers, body: bytes) -> Request:
    if len(parts) != 3:
        raise PeerError("Request-Line", "is method, URI and version")
    method, uri, version = parts
    if version != "SIP/2.0":
        _check_version(version)
    request = Request(token(method, "method"), uri, headers, body)
    request.uri  # noqa: B018  # raises now what would raise later
    return request


def _response(parts: list[str], headers: Headers, body: bytes) -> Response:
    if len(parts) < 2:
        raise PeerError("Status-Line", "is version, status and reason")
    if parts[0] != "SIP/2.0":
        _check_version(parts[0])
    if len(parts[1]) != 3:
        raise PeerError("Status-Line", "the status is 100 to 699")
    status = number(parts[1], "Status-Line", 699)
    if status < 100:
        raise PeerError("Status-Line", "the status is 100 to 699")
    return Response(status, parts[2] if len(parts) == 3 else "", headers, body)


def _check_version(version: str) -> None:
    if version.upper() == "SIP/2.0":
        return
    if _version(version) is None:
        raise PeerError("SIP-Version", "is SIP/2.0")
    raise PeerError("SIP-Version", "is SIP/2.0", 505)
