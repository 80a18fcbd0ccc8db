"""Flows as the stack sees them: where bytes come from and where answers go (RFC 5626).

Responses go back on the flow their request came by, whatever Via says (RFC 3261 §18.2.2).
"""

from dataclasses import dataclass, field
from typing import NewType

from pbx.sip.message import Message, Request

FlowId = NewType("FlowId", int)
Endpoint = tuple[str, int]
"""Address without brackets, and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFacts:
    """What is known of a flow from the moment it opens."""

    local: Endpoint
    peer: Endpoint
    listener: str
    via_token: str = "TLS"  # noqa: S105 - a transport, no secret
    """The transport as Via names it."""
    tls_version: str = ""
    cipher: str = ""
    certificate: str | None = None
    """The identity in the peer's verified certificate."""
    public: str = ""
    """What the peer knows our address as, where something translates between; empty: as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowLimits:
    """How much peers may have open at once; what is more is answered 503.

    What we ask of a phone ourselves does not count: however slow it is, it may call."""

    per_stranger: int = 16
    """On a flow that nobody has authenticated."""
    per_flow: int = 2_000
    strangers: int = 20_000
    """On all flows that nobody has authenticated."""
    total: int = 100_000
    bytes_per_flow: int = 4 * 2**20
    """Of requests that are not over yet, as they came."""


@dataclass(slots=True)
class Counters:
    """What happened, for metrics; none of it is an identifier."""

    requests: int = 0
    responses: int = 0
    malformed: int = 0
    refused: int = 0
    turned_away: int = 0
    """Requests that the doorkeeper challenged or refused."""
    overloaded: int = 0
    stray: int = 0
    """Responses and ACKs that belong to nothing."""
    late: int = 0
    """Messages of ours whose transaction or flow was gone."""


@dataclass(slots=True, eq=False)
class Flow:
    """One open flow."""

    id: FlowId
    facts: FlowFacts
    is_authenticated: bool = False
    transactions: set[int] = field(default_factory=set)
    """Ours and theirs."""
    theirs: dict[int, int] = field(default_factory=dict)
    """Those that the peer began, and the bytes of each."""
    weight: int = 0
    """Of theirs together."""


class Flows:
    """The open flows, and what waits to be written to them."""

    __slots__ = ("_flows", "_limits", "_outgoing", "_strangers", "_total", "counters")

    def __init__(self, limits: FlowLimits) -> None:
        self._flows: dict[FlowId, Flow] = {}
        self._limits = limits
        self._outgoing: list[tuple[FlowId, bytes]] = []
        self._strangers = 0  # open transactions of flows that nobody has authenticated
        self._total = 0
        self.counters = Counters()

    def __len__(self) -> int:
        return len(self._flows)

    def open(self, flow_id: FlowId, facts: FlowFacts) -> None:
        self._flows[flow_id] = Flow(flow_id, facts)

    def get(self, flow_id: FlowId) -> Flow | None:
        return self._flows.get(flow_id)

    def close(self, flow_id: FlowId) -> Flow | None:
        """Forget the flow; its transactions are still to be told."""
        return self._flows.pop(flow_id, None)

    def authenticate(self, flow_id: FlowId) -> None:
        """Somebody proved who they are on this flow: it gets the wider limits."""
        flow = self._flows.get(flow_id)
        if flow is not None and not flow.is_authenticated:
            flow.is_authenticated = True
            self._strangers -= len(flow.theirs)

    def has_room(self, flow: Flow, *, is_urgent: bool = False) -> bool:
        """Whether the flow's peer may begin another transaction; a call for help has room where
        nothing else has."""
        limits, times = self._limits, 2 if is_urgent else 1
        count = len(flow.theirs)
        if self._total >= times * limits.total or flow.weight >= times * limits.bytes_per_flow:
            return False
        if flow.is_authenticated:
            return count < times * limits.per_flow
        return count < limits.per_stranger and self._strangers < limits.strangers

    def asked(self, flow: Flow, transaction: int) -> None:
        """A transaction of ours."""
        flow.transactions.add(transaction)

    def began(self, flow: Flow, transaction: int, size: int = 0) -> None:
        """A transaction of the peer's, with so many bytes."""
        flow.transactions.add(transaction)
        flow.theirs[transaction] = size
        flow.weight += size
        self._total += 1
        self._strangers += not flow.is_authenticated

    def ended(self, flow: Flow, transaction: int) -> None:
        flow.transactions.discard(transaction)
        size = flow.theirs.pop(transaction, None)
        if size is not None:
            flow.weight -= size
            self._total -= 1
            self._strangers -= not flow.is_authenticated

    def send(self, flow_id: FlowId, message: Message) -> bool:
        """Queue a message; False: its flow is gone, and so is the message."""
        counters = self.counters
        if flow_id not in self._flows:
            counters.late += 1
            return False
        if isinstance(message, Request):
            counters.requests += 1
        else:
            counters.responses += 1
        self._outgoing.append((flow_id, message.encode()))
        return True

    def outgoing(self) -> list[tuple[FlowId, bytes]]:
        """What is to be written, in order; asked for once."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing
