"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

The flow is part of a server key: nobody can CANCEL or answer for another by guessing branches.
"""

from pbx.sip.message import Request, Response
from pbx.sip.via import MAGIC, Via

ServerKey = tuple[int, str, str, str]
"""Flow, branch, sent-by, method."""
ClientKey = tuple[str, str]
"""Branch, method."""
MergeKey = tuple[int, str, str, int, str]
"""Flow, Call-ID, From tag, CSeq."""


def server_key(flow: int, request: Request, via: Via, method: str) -> ServerKey:
    """ACK and CANCEL are looked up with the method INVITE (§9.2, §17.2.3)."""
    branch = via.branch
    if branch is None or not branch.startswith(MAGIC):
        branch = _before_rfc_3261(request, via)
    return flow, branch, via.sent_by, method


def client_key(response: Response) -> ClientKey:
    """Our branches are unique; the method tells CANCEL from its INVITE."""
    return response.via.branch or "", response.cseq.method


def merge_key(flow: int, request: Request) -> MergeKey:
    """Equal for one request that came by two ways (§8.2.2.2)."""
    cseq = request.cseq
    return flow, request.call_id, request.from_.tag or "", cseq.number, cseq.method


def _before_rfc_3261(request: Request, via: Via) -> str:
    """A peer without magic cookie: all that ACK and CANCEL must repeat, one branch of ours.

    It cannot be taken for a branch of RFC 3261, for it contains a space.
    """
    tag = request.from_.tag or ""
    number = request.cseq.number
    return f"{request.uri_text} {request.call_id} {tag} {number} {via}"
