"""Two stacks wired back to back, and a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from pbx.sip.events import Event
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.headers import Headers
from pbx.sip.message import Message, Request, Response, response_to
from pbx.sip.parser import parse_message
from pbx.sip.stack import Stack, StackConfig

ALICE = ("192.0.2.1", 50000)
EXCHANGE = ("192.0.2.100", 5061)


def facts(local: tuple[str, int], peer: tuple[str, int]) -> FlowFacts:
    return FlowFacts(local=local, peer=peer, listener="tls", tls_version="TLSv1.3")


@dataclass
class Pair:
    """Alice and the exchange, joined by flows; bytes wait on the wire until `carry`."""

    config: StackConfig = field(default_factory=StackConfig)
    now: float = 1000.0
    wire: list[tuple[str, FlowId, bytes]] = field(default_factory=list)
    """What was sent but not carried: receiver, flow, bytes."""
    sent: list[tuple[str, Message]] = field(default_factory=list)
    """All that was carried or dropped: sender and message."""
    happened: dict[str, list[Event]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.alice, self.exchange = Stack(self.config), Stack(self.config)
        self.happened = {"alice": [], "exchange": []}
        self.flow = self.connect(1)

    def connect(self, number: int) -> FlowId:
        flow = FlowId(number)
        self.alice.flow_opened(flow, facts(ALICE, EXCHANGE))
        self.exchange.flow_opened(flow, facts(EXCHANGE, ALICE))
        return flow

    def cut(self, flow: FlowId) -> None:
        """The flow dies at both ends, with what was on it."""
        self.collect()
        self.wire = [entry for entry in self.wire if entry[1] != flow]
        self.alice.flow_closed(flow, self.now)
        self.exchange.flow_closed(flow, self.now)
        self.collect()

    def collect(self) -> None:
        """Take what both have to say onto the wire, and their events."""
        for name, stack, other in (
            ("alice", self.alice, "exchange"),
            ("exchange", self.exchange, "alice"),
        ):
            for flow, data in stack.outgoing():
                self.sent.append((name, parse_message(data)))
                self.wire.append((other, flow, data))
            self.happened[name] += stack.events()

    def carry(self, *, limit: int = 100) -> None:
        """Deliver everything, in order, until the wire is empty."""
        self.collect()
        for _ in range(limit):
            if not self.wire:
                return
            self.step(0)
        raise AssertionError("the two stacks never come to rest")

    def step(self, place: int) -> None:
        """Deliver one message, perhaps out of order."""
        receiver, flow, data = self.wire.pop(place)
        (self.alice if receiver == "alice" else self.exchange).receive(flow, data, self.now)
        self.collect()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, stopping at every deadline on the way; nothing is carried."""
        end = self.now + seconds
        while True:
            due = [d for s in (self.alice, self.exchange) if (d := s.next_deadline()) is not None]
            when = min(due, default=end)
            if when > end:
                break
            self.now = max(self.now, when)
            self.alice.expire(self.now)
            self.exchange.expire(self.now)
            self.collect()
            if when == end:
                break
        self.now = end

    def events(self, name: str) -> list[Event]:
        """What happened to one of them since the last call."""
        self.collect()
        events, self.happened[name] = self.happened[name], []
        return events

    def statuses(self, name: str) -> list[int]:
        """The status of every response one of them has sent."""
        return [m.status for n, m in self.sent if n == name and not isinstance(m, Request)]  # type: ignore[attr-defined]

    def methods(self, name: str) -> list[str]:
        """The method of every request one of them has sent."""
        return [m.method for n, m in self.sent if n == name and isinstance(m, Request)]


def request(method: str = "INVITE", *extra: tuple[str, str], body: bytes = b"") -> Request:
    """A request of Alice's without Via, as a transaction user hands it to its stack."""
    headers = Headers(
        ("Max-Forwards", "70"),
        ("From", '"Alice" <sip:1001@clinic.example>;tag=alice1'),
        ("To", "<sip:1002@clinic.example>"),
        ("Call-ID", "call-1@alice"),
        ("CSeq", f"1 {method}"),
        ("Contact", "<sip:1001@192.0.2.1:50000;transport=tls>"),
    )
    for name, value in extra:
        headers.set(name, value)
    if body and "Content-Type" not in headers:
        headers.add("Content-Type", "application/sdp")
    return Request(method, "sip:1002@clinic.example", headers, body)


def answer(request: Request, status: int, *fields: tuple[str, str], body: bytes = b"") -> Response:
    """A response as a transaction user hands it to its stack."""
    response = response_to(request, status)
    if 100 < status < 300 and request.method in ("INVITE", "SUBSCRIBE"):
        response.headers.add("Contact", "<sip:exchange@192.0.2.100:5061;transport=tls>")
    for name, value in fields:
        response.headers.set(name, value)
    if body:
        response.headers.add("Content-Type", "application/sdp")
        response.body = body
    return response


def raw(request: Request, branch: str = "z9hG4bKraw", via: str | None = None) -> bytes:
    """A request as bytes, for one stack alone; its Via is written here."""
    request.headers.prepend("Via", via or f"SIP/2.0/TLS 192.0.2.1:50000;branch={branch}")
    return request.encode()
