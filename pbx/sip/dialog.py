"""Dialogs: two parties, their tags, routes, targets and sequence numbers (RFC 3261 §12).

What a dialog is stands in `DialogState`, a plain value that a snapshot can carry; `Dialog` is
the machine around it and knows, beyond the value, only which requests are open at the moment.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from pbx.sip.address import Address
from pbx.sip.headers import Headers
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.session_clock import LEAST, SessionTimer

TARGET_REFRESHING = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Requests whose Contact moves the remote target (§12.2, RFC 3311, RFC 6665)."""

FORMING = frozenset({"INVITE", "SUBSCRIBE"})
"""Requests that make dialogs (§12.1, RFC 6665)."""

RESTORED_GAP = 64
"""How far a restored dialog's CSeq leaps over what may have been sent since the snapshot."""


class DialogId(NamedTuple):
    """What names a dialog at our end (§12)."""

    call_id: str
    local_tag: str
    remote_tag: str


class DialogState(Struct, frozen=True, kw_only=True):
    """Everything that outlives the process (§12.1.1, §12.1.2)."""

    id: DialogId
    local: str
    """Our From or To as written, tag included."""
    remote: str
    """The peer's, likewise."""
    contact: str
    """Our Contact as written."""
    target: str
    """The remote target URI."""
    routes: tuple[str, ...] = ()
    """The route set, first hop first."""
    local_cseq: int
    remote_cseq: int | None = None
    is_early: bool
    is_caller: bool
    """Whether we sent the request that made the dialog."""
    allow: tuple[str, ...] = ()
    """Methods the peer says it takes."""
    session: SessionTimer | None = None
    session_minimum: int = LEAST


class Dialog:
    """One end of a dialog."""

    __slots__ = ("_open_ours", "_open_theirs", "state")

    def __init__(self, state: DialogState) -> None:
        self.state = state
        self._open_ours: dict[str, int] = {}  # method -> CSeq of the one that is open
        self._open_theirs: dict[str, int] = {}

    @classmethod
    def restored(cls, state: DialogState) -> Dialog:
        """From a snapshot, which may be a few requests old: CSeq may leap (§12.2.2)."""
        return cls(replace(state, local_cseq=state.local_cseq + RESTORED_GAP))

    @classmethod
    def as_uas(cls, request: Request, response: Response) -> Dialog:
        """From the first response with a To tag that we send (§12.1.1)."""
        dialog = cls(
            DialogState(
                id=uas_id(response),
                local=response.headers.first("To") or "",
                remote=request.headers.first("From") or "",
                contact=response.headers.first("Contact") or "",
                target=_target(request, request.from_.uri_text),
                routes=tuple(request.headers.elements("Record-Route")),
                local_cseq=_first_cseq(),
                remote_cseq=request.cseq.number,
                is_early=response.status < 200,
                is_caller=False,
                allow=request.allow,
            )
        )
        dialog._open_theirs[request.method] = request.cseq.number
        return dialog

    @classmethod
    def as_uac(cls, request: Request, response: Response) -> Dialog:
        """From the first response with this To tag that we get (§12.1.2); raises `PeerError`."""
        read_route(response)
        dialog = cls(
            DialogState(
                id=uac_id(response),
                local=request.headers.first("From") or "",
                remote=response.headers.first("To") or "",
                contact=request.headers.first("Contact") or "",
                target=_target(response, request.uri_text),
                routes=tuple(reversed(response.headers.elements("Record-Route"))),
                local_cseq=request.cseq.number,
                is_early=response.status < 200,
                is_caller=True,
                allow=response.allow,
            )
        )
        dialog.sent(request)
        return dialog

    @property
    def id(self) -> DialogId:
        return self.state.id

    def request(self, method: str, body: bytes = b"", content_type: str | None = None) -> Request:
        """A new request within the dialog (§12.2.1.1)."""
        self.state = replace(self.state, local_cseq=self.state.local_cseq + 1)
        return self._write(method, self.state.local_cseq, body, content_type)

    def skip(self, numbers: int) -> None:
        """So many may have been used up in requests that nobody remembers."""
        self.state = replace(self.state, local_cseq=self.state.local_cseq + numbers)

    def acknowledge(
        self, invite: Request, body: bytes = b"", content_type: str | None = None
    ) -> Request:
        """The ACK of a 2xx: the INVITE's number and credentials (§13.2.2.4)."""
        ack = self._write("ACK", invite.cseq.number, body, content_type)
        for name in ("Authorization", "Proxy-Authorization"):
            for value in invite.headers.all(name):
                ack.headers.add(name, value)
        return ack

    def admit(self, request: Request) -> Response | None:
        """Take a request's number; or the response that refuses it (§12.2.2, §14.2)."""
        number, method = request.cseq.number, request.method
        last = self.state.remote_cseq
        if last is not None and number <= last:
            return response_to(request, 500)
        self.state = replace(self.state, remote_cseq=number)
        status = 0
        if method == "INVITE":
            status = self._refusal_of_invite()
        elif method == "UPDATE":
            status = self._refusal_of_update(bool(request.body))
        if status:
            refusal = response_to(request, status)
            if status == 500:
                refusal.headers.add("Retry-After", str(secrets.randbelow(11)))
            return refusal
        self._open_theirs[method] = number
        return None

    @property
    def is_settled(self) -> bool:
        """Whether no session is being described, by either end, so that we may (§14.1, RFC 3311
        §5.1)."""
        ours = self._open_ours.keys() & {"INVITE", "UPDATE with offer"}
        return not ours and not self._open_theirs.keys() & {"INVITE", "UPDATE"}

    def rename(self, local: str) -> None:
        """We are somebody else from now on, under the same tag (RFC 4916)."""
        self.state = replace(self.state, local=local)

    def answered(self, request: Request, response: Response) -> None:
        """We sent a response to a request of theirs."""
        if response.status >= 200:
            self._open_theirs.pop(request.method, None)
        if response.status >= 300 or request.method not in TARGET_REFRESHING:
            return
        if response.status >= 200:
            target = _target(request, self.state.target)
            self.state = replace(self.state, target=target)
        if request.method in FORMING and response.status >= 200 and self.state.is_early:
            self.state = replace(self.state, is_early=False)

    def lost(self, request: Request) -> None:
        """A request of theirs cannot be answered any more: it keeps no other one waiting."""
        if self._open_theirs.get(request.method) == request.cseq.number:
            del self._open_theirs[request.method]

    def sent(self, request: Request) -> None:
        """We sent a request."""
        self._open_ours[_kind(request)] = request.cseq.number

    def received(self, request: Request, response: Response) -> None:
        """A response to a request of ours arrived (§12.2.1.2, §13.2.2.4); raises `PeerError`."""
        if response.status >= 200:
            self.closed(request)
        if response.status >= 300 or request.method not in TARGET_REFRESHING:
            return
        read_route(response)
        state = replace(self.state, target=_target(response, self.state.target))
        if response.headers.first("Allow") is not None:
            state = replace(state, allow=response.allow)
        if state.is_early and request.method in FORMING and response.status >= 200:
            # §13.2.2.4: the route set is computed anew from the 2xx.
            routes = tuple(reversed(response.headers.elements("Record-Route")))
            state = replace(state, routes=routes, is_early=False)
        self.state = state

    def closed(self, request: Request) -> None:
        """A request of ours is over, answered or not."""
        if self._open_ours.get(_kind(request)) == request.cseq.number:
            del self._open_ours[_kind(request)]

    def agree(self, session: SessionTimer | None, minimum: int = LEAST) -> None:
        """Keep what session timers settled on."""
        self.state = replace(
            self.state,
            session=session,
            session_minimum=max(minimum, self.state.session_minimum),
        )

    def _refusal_of_invite(self) -> int:
        if "INVITE" in self._open_theirs:
            return 500
        return 491 if self._open_ours.keys() & {"INVITE", "UPDATE with offer"} else 0

    def _refusal_of_update(self, has_offer: bool) -> int:
        """RFC 3311 §5.2. In an early dialog the INVITE's own offer has been answered by then,
        reliably, or the peer would not be allowed to offer (§5.1)."""
        if "UPDATE" in self._open_theirs:
            return 500
        if not has_offer:
            return 0
        if "UPDATE with offer" in self._open_ours:
            return 491
        if self.state.is_early:
            return 0
        if "INVITE" in self._open_ours:
            return 491
        return 500 if "INVITE" in self._open_theirs else 0

    def _write(self, method: str, number: int, body: bytes, content_type: str | None) -> Request:
        state = self.state
        target, routes = _path(state)
        headers = Headers(
            *[("Route", route) for route in routes],
            ("Max-Forwards", "70"),
            ("From", state.local),
            ("To", state.remote),
            ("Call-ID", state.id.call_id),
            ("CSeq", f"{number} {method}"),
        )
        if method in TARGET_REFRESHING and state.contact:
            headers.add("Contact", state.contact)
        if content_type is not None:
            headers.add("Content-Type", content_type)
        return Request(method, target, headers, body)


def read_route(message: Message) -> None:
    """Target and route set of a message that makes a dialog, read while it can still be refused;
    raises `PeerError`."""
    for address in (*message.contacts, *message.record_routes):
        _ = address.uri


def uas_id(message: Message) -> DialogId:
    """The dialog of a request we got, or of a response we send (§12.1.1)."""
    return DialogId(message.call_id, message.to.tag or "", message.from_.tag or "")


def uac_id(message: Message) -> DialogId:
    """The dialog of a response we got, or of a request we send (§12.1.2)."""
    return DialogId(message.call_id, message.from_.tag or "", message.to.tag or "")


def new_tag() -> str:
    """A tag: at least 32 bits of randomness (§19.3); ours has 80."""
    return secrets.token_hex(10)


def _kind(request: Request) -> str:
    return "UPDATE with offer" if request.method == "UPDATE" and request.body else request.method


def _first_cseq() -> int:
    return 1 + secrets.randbelow(2**16)


def _target(message: Message, otherwise: str) -> str:
    """The Contact; an early response may lack it, and a sloppy peer's 2xx too."""
    contacts = message.contacts
    return contacts[0].uri_text if contacts else otherwise


def _path(state: DialogState) -> tuple[str, list[str]]:
    """Request-URI and Route; a strict router takes the first route as its URI (§12.2.1.1)."""
    routes = list(state.routes)
    if not routes:
        return state.target, routes
    first = Address.parse(routes[0], "Route")
    if "lr" in first.uri_text.lower().split(";")[1:]:
        return state.target, routes
    return first.uri_text, [*routes[1:], f"<{state.target}>"]
