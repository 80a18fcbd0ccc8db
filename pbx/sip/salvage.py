"""What of a broken request can still be answered (RFC 3261 section 8.2.6.2, RFC 4475).

A response copies Via, From, To, Call-ID and CSeq as they came and goes back on the flow they
came by, so they need not be readable; but without any Via there is nobody to answer.
"""

from __future__ import annotations

import re

from pbx.sip.errors import PeerError
from pbx.sip.grammar import is_token, unfolded
from pbx.sip.headers import Headers
from pbx.sip.message import Request
from pbx.sip.names import canonical

_COPIED = ("Via", "From", "To", "Call-ID", "CSeq")
_unwritable = re.compile(r"[\r\n\0]")


def salvage(text: str) -> Request | None:
    """The answerable part of a refused head; None for a response, an ACK or too little."""
    lines = unfolded(text.split("\r\n"))
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
            headers.add(key, _unwritable.sub("", value))
    return Request(method, "sip:invalid.invalid", headers) if "Via" in headers else None
