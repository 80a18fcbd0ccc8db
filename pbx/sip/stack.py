"""The stack: whole messages and time in, messages and events out (RFC 3261 §5).

Whoever drives it settles after every input: write `outgoing()`, deliver `events()`, and call
`expire` at `next_deadline()`. Nothing here reads a clock or a socket.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pbx.sip.dialog import Dialog, DialogId, DialogState
from pbx.sip.doorkeeper import Doorkeeper
from pbx.sip.errors import PeerError
from pbx.sip.events import Event, FlowClosed, MessageRefused, TransactionId
from pbx.sip.flows import Counters, Flow, FlowFacts, FlowId
from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import parse_message
from pbx.sip.sent import Sent
from pbx.sip.served import Served
from pbx.sip.shared import Shared, StackConfig
from pbx.sip.uac import UserAgentClient
from pbx.sip.uas import UserAgentServer


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """One open transaction, for an operator's table; nothing in it is protected."""

    id: TransactionId
    flow: FlowId
    role: str
    method: str
    state: str
    deadline: float | None


@dataclass(frozen=True, slots=True)
class StackSnapshot:
    """What lives in a stack at the moment."""

    flows: int
    dialogs: int
    transactions: tuple[TransactionRow, ...]
    counters: dict[str, int]


class Stack:
    """SIP between flows and one transaction user."""

    __slots__ = ("_client", "_server", "_shared")

    def __init__(self, config: StackConfig | None = None) -> None:
        self._shared = Shared(config or StackConfig())
        self._server = UserAgentServer(self._shared)
        self._client = UserAgentClient(self._shared)

    def guard(self, doorkeeper: Doorkeeper) -> None:
        """From now on it is asked about every request."""
        self._shared.doorkeeper = doorkeeper

    def flow_opened(self, flow_id: FlowId, facts: FlowFacts) -> None:
        """Messages may come and go by this flow from now on."""
        self._shared.flows.open(flow_id, facts)

    def flow_authenticated(self, flow_id: FlowId) -> None:
        """The transaction user knows who is at the other end: wider limits apply."""
        self._shared.flows.authenticate(flow_id)

    def flow_closed(self, flow_id: FlowId, now: float) -> None:
        """The flow is gone; what waited on it hears of it."""
        flow = self._shared.flows.close(flow_id)
        if flow is not None:
            self._server.lose_flow(flow, now)
            self._client.lose_flow(flow, now)
            self._shared.report(FlowClosed(flow_id))

    def facts(self, flow_id: FlowId) -> FlowFacts | None:
        """What is known of an open flow."""
        flow = self._shared.flows.get(flow_id)
        return None if flow is None else flow.facts

    def receive(self, flow_id: FlowId, data: bytes, now: float) -> None:
        """One whole message came by this flow; none makes this raise."""
        flow = self._shared.flows.get(flow_id)
        if flow is None:
            self._shared.flows.counters.late += 1
            return
        message: Request | Response | None = None
        try:
            message = parse_message(data)
            if isinstance(message, Request):
                self._server.receive(flow, message, now, len(data))
            else:
                self._client.receive(flow, message, now)
        except PeerError as error:
            self._refuse(flow, error, message)

    def request(self, flow_id: FlowId, request: Request, now: float) -> TransactionId:
        """Send a request, in a dialog (`Dialog.request`) or outside; Via is added here."""
        return self._client.request(flow_id, request, now)

    def cancel(self, transaction: TransactionId, now: float, reason: str | None = None) -> None:
        """Give an INVITE of ours up; `reason` is the value of a Reason field (RFC 3326)."""
        self._client.cancel(transaction, now, reason)

    def acknowledge(
        self,
        transaction: TransactionId,
        dialog: Dialog,
        flow_id: FlowId,
        *,
        body: bytes = b"",
        content_type: str | None = None,
    ) -> bool:
        """ACK a 2xx to our INVITE; retransmissions of it are answered by the stack."""
        return self._client.acknowledge(transaction, dialog, flow_id, body, content_type)

    def respond(
        self, transaction: TransactionId, response: Response, now: float, *, reliably: bool = False
    ) -> bool:
        """Answer a request; To tag, dialog, session timer and 2xx retransmission are done here.

        `reliably` sends a provisional response under RFC 3262. False: the transaction is over
        (cancelled, timed out, flow lost) and the response was dropped.
        """
        return self._server.respond(transaction, response, now, reliably=reliably)

    def dialog(self, dialog_id: DialogId) -> Dialog | None:
        """The dialog with this id, early or confirmed."""
        return self._shared.dialogs.get(dialog_id)

    def restore(self, state: DialogState, now: float) -> Dialog:
        """Take a dialog back from a snapshot; its session interval starts anew."""
        dialog = Dialog.restored(state)
        self._shared.dialogs.adopt(dialog)
        self._shared.dialogs.run_session(dialog, state.session, now)
        return dialog

    def drop(self, dialog: Dialog) -> None:
        """Forget a dialog: its requests are 481 from now on."""
        self._shared.dialogs.drop(dialog)

    def outgoing(self) -> list[tuple[FlowId, bytes]]:
        """What is to be written, in order; asked for once."""
        return self._shared.flows.outgoing()

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._shared.events = self._shared.events, []
        return events

    def next_deadline(self) -> float | None:
        """When `expire` has something to do."""
        return self._shared.deadlines.next()

    def expire(self, now: float) -> None:
        """Time has passed."""
        self._shared.deadlines.expire(now)

    @property
    def counters(self) -> Counters:
        """Live figures for metrics."""
        return self._shared.flows.counters

    def is_loop(self, request: Request, sent_by: str) -> bool:
        """Whether we sent this request to this target before (RFC 5393): answer 482."""
        return self._shared.loops.is_loop(request, sent_by)

    def snapshot(self) -> StackSnapshot:
        """Everything that is open, for people to look at."""
        server, client = self._server.transactions, self._client.transactions
        return StackSnapshot(
            flows=len(self._shared.flows),
            dialogs=len(self._shared.dialogs),
            transactions=(
                *[_row("server", s) for s in server],
                *[_row("client", c) for c in client],
            ),
            counters=asdict(self.counters),
        )

    def _refuse(self, flow: Flow, error: PeerError, message: Request | Response | None) -> None:
        """What can be answered is; the rest is dropped. Both are counted and reported."""
        self._shared.flows.counters.malformed += 1
        request = error.request
        if request is None and isinstance(message, Request) and message.method != "ACK":
            request = message
        if request is not None:
            self._server.refuse(flow, response_to(request, error.status), request, str(error))
        else:
            self._shared.report(MessageRefused(flow.id, error.header, error.rule, 0))


def _row(role: str, open_: Served | Sent) -> TransactionRow:
    machine = open_.machine
    return TransactionRow(
        open_.id,
        open_.flow.id,
        role,
        machine.request.method,
        machine.state.name.lower(),
        open_.deadline,
    )
