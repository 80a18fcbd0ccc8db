"""The UAC core: requests out, responses in (RFC 3261 §8.1, §9.1, §13.2, RFC 3262 §4)."""

from __future__ import annotations

from pbx.sip.dialog import Dialog, uac_id
from pbx.sip.errors import PeerError
from pbx.sip.events import FlowLost, MessageRefused, ResponseReceived, TimedOut, TransactionId
from pbx.sip.flows import Flow, FlowId
from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response, response_to
from pbx.sip.reliable import ProvisionalOrder, is_reliable, prack
from pbx.sip.sent import Sent
from pbx.sip.session_clock import agreed, ask, minimum_of
from pbx.sip.shared import Shared
from pbx.sip.transaction.client_invite import InviteClientTransaction
from pbx.sip.transaction.client_non_invite import NonInviteClientTransaction
from pbx.sip.transaction.effects import Deliver, Effect, Send, SendCancel, TimeOut
from pbx.sip.transaction.hop import cancellation
from pbx.sip.transaction.keys import ClientKey, client_key
from pbx.sip.transaction.state import State

ONLY_WITH_DIALOGS = (
    "Contact", "Record-Route", "Allow", "Require", "RSeq", "Supported", "Session-Expires", "Min-SE",
)  # fmt: skip

MOST_PRACKS = 64
"""Numbers that confirmations may have used up in a call that nobody here knows any more."""

MOST_FORKS = 16
"""Dialogs that the responses to one INVITE may make."""


class UserAgentClient:
    """All client transactions of a stack."""

    __slots__ = ("_by_id", "_by_key", "_shared")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._by_id: dict[TransactionId, Sent] = {}
        self._by_key: dict[ClientKey, Sent] = {}

    @property
    def transactions(self) -> list[Sent]:
        """Those that are open, oldest first."""
        return list(self._by_id.values())

    def request(self, flow_id: FlowId, request: Request, now: float) -> TransactionId:
        """Send a request; on a flow that is gone it is over at once, with FlowLost."""
        flow = self._shared.flows.get(flow_id)
        if flow is None:
            if request.method == "BYE" and (over := self._shared.dialogs.get(uac_id(request))):
                self._shared.dialogs.drop(over)  # §15.1.1: it ends with the BYE, heard or not
            self._shared.flows.counters.late += 1
            transaction = self._shared.new_id()
            self._shared.report(FlowLost(transaction))
            return transaction
        dialog = self._shared.dialogs.get(uac_id(request)) if request.to.tag else None
        self._complete(flow, request, dialog)
        sent = self._start(flow, request, now)
        sent.dialog = dialog
        if dialog is not None:
            dialog.sent(request)
        return sent.id

    def cancel(self, transaction: TransactionId, now: float, reason: str | None) -> None:
        """Give an INVITE up (§9.1); a 2xx may win the race and wants ACK and BYE."""
        sent = self._by_id.get(transaction)
        if sent is not None and isinstance(sent.machine, InviteClientTransaction):
            sent.reason = reason
            self._carry_out(sent, sent.machine.cancel(now), now)

    def acknowledge(
        self,
        transaction: TransactionId,
        dialog: Dialog,
        flow_id: FlowId,
        body: bytes,
        content_type: str | None,
    ) -> bool:
        """ACK a 2xx (§13.2.2.4); False: the INVITE or the flow is gone."""
        sent, flow = self._by_id.get(transaction), self._shared.flows.get(flow_id)
        if sent is None or flow is None or not isinstance(sent.machine, InviteClientTransaction):
            self._shared.flows.counters.late += 1
            return False
        ack = dialog.acknowledge(sent.request, body, content_type)
        self._add_via(flow, ack)
        sent.machine.acknowledge(dialog.id.remote_tag, ack)
        return self._shared.flows.send(flow_id, ack)

    def receive(self, flow: Flow, response: Response, now: float) -> None:
        """A whole response came by a flow."""
        sent = self._by_key.get(client_key(response))
        is_single = len(response.headers.elements("Via")) == 1
        if sent is None or sent.flow is not flow or not is_single:
            self._shared.flows.counters.stray += 1  # §8.1.3.3, §18.1.2
            if sent is None and is_single and flow.is_authenticated:
                self._dismiss(flow, response)
            return
        self._carry_out(sent, sent.machine.receive(response, now), now)

    def _dismiss(self, flow: Flow, response: Response) -> None:
        """ACK and BYE for the answer to a call that nobody here knows: it rang when we were
        killed, or when its phone's connection broke. Whoever picked up would hear nothing until
        their phone gives up (§13.3.1.4)."""
        is_answer = 200 <= response.status < 300 and response.cseq.method == "INVITE"
        if not is_answer or self._shared.dialogs.get(uac_id(response)) is not None:
            return
        kept = ((name, response.headers.first(name) or "") for name in ("Call-ID", "From", "CSeq"))
        invite = Request("INVITE", response.to.uri_text, Headers(*kept))
        dialog = Dialog.as_uac(invite, response)
        ack = dialog.acknowledge(invite)
        dialog.skip(MOST_PRACKS)
        for message in (ack, dialog.request("BYE")):
            self._add_via(flow, message)
            self._shared.flows.send(flow.id, message)

    def lose_flow(self, flow: Flow, now: float) -> None:
        """The flow is gone: its requests will not be answered."""
        for transaction in sorted(flow.transactions):
            sent = self._by_id.get(TransactionId(transaction))
            if sent is not None:
                self._carry_out(sent, sent.machine.lose_flow(now), now)

    def _complete(self, flow: Flow, request: Request, dialog: Dialog | None) -> None:
        """What the transaction user need not think of: Via, capabilities, session timer."""
        config = self._shared.config
        if request.method == "INVITE":
            config.capabilities.describe(request)
        if config.session and request.method in ("INVITE", "UPDATE"):
            if dialog is not None:
                ask(request, config.session, dialog.state.session, dialog.state.session_minimum)
            elif "Session-Expires" not in request.headers:
                ask(request, config.session)
        self._add_via(flow, request)

    def _add_via(self, flow: Flow, request: Request) -> None:
        facts = flow.facts
        address, port = facts.local
        host = f"[{address}]" if ":" in address else address
        sent_by = self._shared.config.sent_by or f"{host}:{port}"
        branch = self._shared.loops.branch(request.uri_text)
        via = f"SIP/2.0/{facts.via_token} {sent_by};branch={branch};rport"
        request.headers.prepend("Via", via)

    def _start(self, flow: Flow, request: Request, now: float) -> Sent:
        shared = self._shared
        kind = InviteClientTransaction if request.method == "INVITE" else NonInviteClientTransaction
        machine = kind(request, shared.config.timers, now)
        key = (request.via.branch or "", request.method)
        sent = Sent(shared.new_id(), flow, machine, key, self._ring)
        self._by_id[sent.id] = self._by_key[key] = sent
        shared.flows.asked(flow, sent.id)
        self._carry_out(sent, machine.start(), now)
        return sent

    def _ring(self, sent: Sent, now: float) -> None:
        self._carry_out(sent, sent.machine.expire(now), now)

    def _carry_out(self, sent: Sent, effects: list[Effect], now: float) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    self._shared.flows.send(sent.flow.id, message)
                case Deliver(Response() as response):
                    self._deliver(sent, response, now)
                case SendCancel():
                    cancel = cancellation(sent.request, sent.reason)
                    self._start(sent.flow, cancel, now).is_quiet = True
                case TimeOut(timer):
                    self._end_dialogs(sent)
                    self._report(sent, TimedOut(sent.id, timer, sent.dialog))
                case _:  # LoseFlow
                    self._end_dialogs(sent)
                    self._report(sent, FlowLost(sent.id))
        if sent.machine.state is State.TERMINATED and self._by_id.pop(sent.id, None) is not None:
            del self._by_key[sent.key]
            self._shared.flows.ended(sent.flow, sent.id)
            self._end_forks(sent)
        self._shared.deadlines.changed(sent)

    def _deliver(self, sent: Sent, response: Response, now: float) -> None:
        try:
            self._take(sent, response, now)
        except PeerError as error:
            # Without the fields that cannot be read it is still the answer to our request.
            for name in ONLY_WITH_DIALOGS:
                response.headers.remove(name)
            self._shared.flows.counters.malformed += 1
            self._shared.report(MessageRefused(sent.flow.id, error.header, error.rule, 0))
            machine = sent.machine
            if (
                isinstance(machine, InviteClientTransaction)
                and sent.dialog is None
                and 200 <= response.status < 300
            ):
                self._give_up(sent, machine, response, now)
            else:
                self._take(sent, response, now)

    def _give_up(
        self, sent: Sent, machine: InviteClientTransaction, response: Response, now: float
    ) -> None:
        """No dialog can be kept with this peer: ACK and BYE for a 2xx, and 502 for our user."""
        known = sent.forks.get(response.to.tag or "")
        dialog = known or Dialog.as_uac(sent.request, response)
        ack = dialog.acknowledge(sent.request)
        bye = dialog.request("BYE")
        self._shared.dialogs.drop(dialog)
        self._add_via(sent.flow, ack)
        self._add_via(sent.flow, bye)
        machine.acknowledge(dialog.id.remote_tag, ack)
        self._shared.flows.send(sent.flow.id, ack)
        self._start(sent.flow, bye, now).is_quiet = True
        failure = response_to(sent.request, 502)
        self._report(sent, ResponseReceived(sent.id, sent.flow.id, failure, None))

    def _take(self, sent: Sent, response: Response, now: float) -> None:
        dialog = self._dialog_of(sent, response)
        if dialog is not None:
            if is_reliable(response) and not self._take_in_order(sent, dialog, response, now):
                return
            dialog.received(sent.request, response)
            self._run_session(sent, dialog, response, now)
        if response.status >= 300:
            self._end_forks(sent)
        if sent.request.method == "BYE" and response.status >= 200:
            self._end_dialogs(sent)
        self._report(sent, ResponseReceived(sent.id, sent.flow.id, response, dialog))

    def _dialog_of(self, sent: Sent, response: Response) -> Dialog | None:
        """The dialog of a response; one with a new To tag makes another (§13.2.2.4)."""
        tag = response.to.tag
        if sent.dialog is not None or sent.request.method != "INVITE":
            return sent.dialog
        if not tag or not 100 < response.status < 300:
            return None
        dialog = sent.forks.get(tag)
        if dialog is None and len(sent.forks) < MOST_FORKS:
            dialog = sent.forks[tag] = Dialog.as_uac(sent.request, response)
            self._shared.dialogs.adopt(dialog)
        return dialog

    def _take_in_order(self, sent: Sent, dialog: Dialog, response: Response, now: float) -> bool:
        """Confirm a reliable provisional response unless it is old or early (RFC 3262 §4).

        One that carries an offer (our INVITE had none) is confirmed by the transaction user,
        with `reliable.prack`, which carries the answer.
        """
        order = sent.orders.setdefault(dialog.id.remote_tag, ProvisionalOrder())
        if not order.take(response):
            return False
        if sent.request.body or not response.body:
            confirmation = prack(dialog, response)
            self._add_via(sent.flow, confirmation)
            self._start(sent.flow, confirmation, now).is_quiet = True
        return True

    def _run_session(self, sent: Sent, dialog: Dialog, response: Response, now: float) -> None:
        if sent.request.method not in ("INVITE", "UPDATE"):
            return
        if response.status == 422:
            dialog.agree(dialog.state.session, minimum_of(response))
        elif 200 <= response.status < 300 and self._shared.config.session:
            self._shared.dialogs.run_session(dialog, agreed(response), now)

    def _report(self, sent: Sent, event: ResponseReceived | TimedOut | FlowLost) -> None:
        if sent.dialog is not None and not isinstance(event, ResponseReceived):
            sent.dialog.closed(sent.request)
        if not sent.is_quiet:
            self._shared.report(event)

    def _end_dialogs(self, sent: Sent) -> None:
        """§15.1.1: after BYE there is no dialog, whatever the peer says."""
        if sent.dialog is not None and sent.request.method == "BYE":
            self._shared.dialogs.drop(sent.dialog)

    def _end_forks(self, sent: Sent) -> None:
        """§13.2.2.3, §13.2.2.4: what is still early when the INVITE is over never existed."""
        for dialog in sent.forks.values():
            if dialog.state.is_early:
                self._shared.dialogs.drop(dialog)
