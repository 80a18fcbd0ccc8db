"""What a REFER asks for (RFC 3515), read without trust in where it points."""

from __future__ import annotations

from dataclasses import dataclass

from pbx.sip.address import Address
from pbx.sip.errors import PeerError
from pbx.sip.message import Request
from pbx.sip.replaces import Replaces
from pbx.sip.uri import SipUri, TelUri

LONGEST = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """Somebody is to be put through."""

    user: str
    """The user part, or the digits, of whom to."""
    host: str
    """Where they are said to be; empty: a number alone."""
    uri: SipUri | None
    """As it was written, where it is no number alone."""
    replaces: Replaces | None
    """Takes the place of this dialog (RFC 3891): an attended transfer."""
    wants_news: bool
    """Unless Refer-Sub says no, NOTIFY tells how it goes (RFC 4488)."""

    @classmethod
    def of(cls, request: Request) -> Referral:
        """Raises `PeerError`."""
        fields = request.headers.all("Refer-To")
        if len(fields) != 1 or len(fields[0]) > LONGEST:
            raise PeerError("Refer-To", "is there once, and not endless (RFC 3515 §2.4.1)")
        uri = Address.parse(fields[0], "Refer-To").uri
        wants_news = (request.headers.first("Refer-Sub") or "true").partition(";")[0].strip()
        common = {"wants_news": wants_news.lower() != "false"}
        if isinstance(uri, TelUri):
            return cls(user=uri.digits, host="", uri=None, replaces=None, **common)
        if not isinstance(uri, SipUri) or uri.user is None:
            raise PeerError("Refer-To", "is a sip, sips or tel URI that names somebody", 416)
        if (uri.parameters.get("method") or "INVITE").upper() != "INVITE":
            raise PeerError("Refer-To", "asks for a call", 403)
        replaces = [value for name, value in uri.headers if name.lower() == "replaces"]
        if len(replaces) > 1:
            raise PeerError("Refer-To", "replaces one dialog")
        parsed = Replaces.parse(replaces[0]) if replaces else None
        host = uri.host.strip("[]")
        return cls(user=uri.user, host=host, uri=uri, replaces=parsed, **common)
