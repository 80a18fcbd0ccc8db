"""What of a broken request can still be answered (RFC 3261 section 8.2.6.2, RFC 4475).

A response copies Via, From, To, Call-ID and CSeq. If a broken request has them, however
broken otherwise, its sender deserves the 4xx; without them there is only silence.
"""

from __future__ import annotations

import re

from pbx.sip.address import Address
from pbx.sip.errors import PeerError
from pbx.sip.grammar import is_token, split_list
from pbx.sip.headers import Headers
from pbx.sip.message import Request
from pbx.sip.names import canonical
from pbx.sip.via import Via

_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")
_fold = re.compile(r"[ \t]*+\r\n[ \t]++")


def salvage(text: str) -> Request | None:
    """The answerable part of a head that was refused; None: a response, an ACK, or too little."""
    lines = _fold.sub(" ", text.replace("\0", "")).split("\r\n")
    method = lines[0].partition(" ")[0]
    if method == "ACK" or not is_token(method):
        return None
    headers = Headers()
    for line in lines[1:]:
        name, _, value = line.partition(":")
        try:
            key = canonical(name.rstrip(" \t"))
        except PeerError:
            continue
        if key in _COPIED and (key == "Via" or key not in headers):
            headers.add(key, value.replace("\r", "").replace("\n", ""))
    try:
        complete = all(name in headers for name in _COPIED)
        return _request(method, headers) if complete else None
    except PeerError:
        return None


def _request(method: str, headers: Headers) -> Request:
    # The answer goes back by flow and branch: these two must be readable.
    Via.parse(split_list(headers.all("Via")[0], "Via")[0])
    Address.parse(headers.all("To")[0], "To")
    return Request(method, "sip:invalid.invalid", headers)
