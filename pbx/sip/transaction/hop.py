"""The two requests that live and die with an INVITE's hop: ACK of a failure, and CANCEL.

Both carry the INVITE's one Via, so that the next hop matches them to it (RFC 3261 §9.1,
§17.1.1.3); a proxy between must send them the same way, hence the INVITE's Route.
"""

from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response


def acknowledgement(invite: Request, response: Response) -> Request:
    """The ACK of a response of 300 or more (§17.1.1.3)."""
    return _beside(invite, "ACK", to=response.headers.first("To"))


def cancellation(invite: Request, reason: str | None = None) -> Request:
    """The CANCEL of an INVITE (§9.1); `reason` is a Reason header's value (RFC 3326)."""
    cancel = _beside(invite, "CANCEL", to=invite.headers.first("To"))
    if reason is not None:
        cancel.headers.add("Reason", reason)
    return cancel


def _beside(invite: Request, method: str, *, to: str | None) -> Request:
    theirs = invite.headers
    headers = Headers(("Via", str(invite.via)))
    for name in ("Max-Forwards", "From", "To", "Call-ID", "Route"):
        for value in [to] if name == "To" else theirs.all(name):
            headers.add(name, value or "")
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    return Request(method, invite.uri, headers)
