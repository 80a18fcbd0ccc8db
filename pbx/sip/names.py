"""Header field names: long and compact forms, and which fields may appear once only.

Names are case-insensitive (RFC 3261 section 7.3.1). `canonical` gives the key under which a
field is kept: the registered spelling for names known here, the lower-case name otherwise.
"""

from __future__ import annotations

from pbx.sip.errors import PeerError
from pbx.sip.grammar import is_token

_SINGULAR = """
Call-ID Content-Disposition Content-Encoding Content-Length Content-Type CSeq Date Event Expires
Flow-Timer From Identity Max-Breadth Max-Forwards MIME-Version Min-Expires Min-SE Organization
P-Access-Network-Info P-Answer-State P-Preferred-Service Priority Privacy RAck Refer-Sub Refer-To
Referred-By Replaces Reply-To Retry-After RSeq Server Session-Expires SIP-ETag SIP-If-Match
Subject Subscription-State Target-Dialog Timestamp To User-Agent
"""

_REPEATABLE = """
Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Alert-Info Allow
Allow-Events Answer-Mode Authentication-Info Authorization Call-Info Contact Diversion
Error-Info Geolocation Geolocation-Error Geolocation-Routing Hide History-Info In-Reply-To Join
P-Asserted-Identity P-Associated-URI P-Called-Party-ID P-Charging-Vector P-Early-Media
P-Preferred-Identity Path Permission-Missing Priv-Answer-Mode Proxy-Authenticate
Proxy-Authorization Proxy-Require Reason Record-Route Reject-Contact Remote-Party-ID
Request-Disposition Require Resource-Priority Route Security-Client Security-Server
Security-Verify Service-Route Supported Unsupported User-to-User Via Warning WWW-Authenticate
"""

# RFC 3261 section 7.3.3, RFC 6665, 3515, 3892, 4028, 3841, 8224
COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

SINGULAR = frozenset(_SINGULAR.split())
"""A second line of one of these makes the message 400: two readers could disagree on it."""

_LONG = [*_SINGULAR.split(), *_REPEATABLE.split()]
_FOLDED = {name.lower(): name for name in _LONG} | COMPACT
KNOWN = {name: name for name in _LONG} | _FOLDED | {c.upper(): n for c, n in COMPACT.items()}
"""The usual spellings, so that most names cost one look-up."""


def canonical(name: str) -> str:
    """The key of a field: `V`, `via` and `VIA` are all `Via`; `X-Clinic` is `x-clinic`."""
    key = KNOWN.get(name)
    if key is not None:
        return key
    if not is_token(name):
        raise PeerError("header name", "is a token")
    folded = name.lower()
    return _FOLDED.get(folded, folded)
