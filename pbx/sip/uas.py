"""The UAS core: requests in, responses out (RFC 3261 §8.2, §9.2, §13.3, RFC 3262).

Refusals of its own are stateless (§8.2.7): on a reliable transport the transaction of a final
response would be over at once, and an ACK that belongs to nothing is dropped.
"""

from __future__ import annotations

import secrets
from contextlib import suppress

from pbx.sip.checks import inspect
from pbx.sip.dialog import FORMING, Dialog, DialogId, new_tag, uas_id
from pbx.sip.errors import LocalError, PeerError
from pbx.sip.events import (
    Acknowledged,
    Cancelled,
    FlowLost,
    MessageRefused,
    ProvisionalAcknowledged,
    RequestReceived,
    TimedOut,
    TransactionId,
)
from pbx.sip.flows import Flow
from pbx.sip.grammar import split_list
from pbx.sip.message import Request, Response, response_to
from pbx.sip.reliable import ReliableProvisionals
from pbx.sip.retransmission import Retransmission
from pbx.sip.served import Served
from pbx.sip.session_clock import agree, too_small
from pbx.sip.shared import Shared
from pbx.sip.transaction.effects import Deliver, Effect, Send, TimeOut
from pbx.sip.transaction.keys import MergeKey, ServerKey, merge_key, server_key
from pbx.sip.transaction.server_invite import InviteServerTransaction
from pbx.sip.transaction.server_non_invite import NonInviteServerTransaction
from pbx.sip.transaction.state import State
from pbx.sip.via import Via


class UserAgentServer:
    """All server transactions of a stack."""

    __slots__ = ("_by_id", "_by_key", "_merged", "_reliable", "_shared", "_unconfirmed")

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._by_id: dict[TransactionId, Served] = {}
        self._by_key: dict[ServerKey, Served] = {}
        self._merged: set[MergeKey] = set()
        self._unconfirmed: dict[tuple[DialogId, int], Served] = {}
        self._reliable: dict[DialogId, Served] = {}

    @property
    def transactions(self) -> list[Served]:
        """Those that are open, oldest first."""
        return list(self._by_id.values())

    def receive(self, flow: Flow, request: Request, now: float, size: int = 0) -> None:
        """A whole request of so many bytes came by a flow; PeerError says how to refuse it."""
        via = request.via
        _note_source(flow, request, via)
        match request.method:
            case "ACK":
                self._acknowledge(flow, request, via, now)
            case "CANCEL":
                self._cancel(flow, request, via, now)
            case method:
                key = server_key(flow.id, request, via, method)
                served = self._by_key.get(key)
                if served is None:
                    self._begin(flow, request, key, now, size)
                else:
                    self._carry_out(served, served.machine.receive(request, now), now)

    def refuse(self, flow: Flow, response: Response, request: Request, rule: str) -> None:
        """Answer without a transaction."""
        shared = self._shared
        shared.flows.counters.refused += 1
        with suppress(PeerError):  # what was refused may be the To itself
            if request.to.tag is None:
                _tag(response, request, new_tag())
        shared.flows.send(flow.id, response)
        shared.report(MessageRefused(flow.id, "request", rule, response.status))

    def respond(
        self, transaction: TransactionId, response: Response, now: float, *, reliably: bool
    ) -> bool:
        """A response of the transaction user; False: the transaction is over."""
        served = self._by_id.get(transaction)
        if served is None or served.is_cancelled or served.machine.state is State.TERMINATED:
            self._shared.flows.counters.late += 1
            return False
        self._complete(served, response, now)
        ready = self._in_order(served, response, now, reliably)
        if ready is not None:
            self._transmit(served, ready, now)
        self._shared.deadlines.changed(served)
        return True

    def lose_flow(self, flow: Flow, now: float) -> None:
        """The flow is gone: its transactions cannot be answered any more."""
        for transaction in sorted(flow.transactions):
            served = self._by_id.get(TransactionId(transaction))
            if served is not None:
                self._carry_out(served, served.machine.lose_flow(now), now)

    def _begin(self, flow: Flow, request: Request, key: ServerKey, now: float, size: int) -> None:
        """§8.2: everything that can refuse the request comes before its transaction."""
        shared = self._shared
        config = shared.config
        if not self._has_room(flow, request):
            shared.flows.counters.overloaded += 1
            refusal = response_to(request, 503)
            refusal.headers.add("Retry-After", str(5 + secrets.randbelow(10)))
            return self.refuse(flow, refusal, request, "one peer has so many transactions open")
        merged = None if request.to.tag else merge_key(flow.id, request)
        answer = inspect(request, config.capabilities, is_merged=merged in self._merged)
        if answer is None and config.session and request.method in ("INVITE", "UPDATE"):
            answer = too_small(request, config.session)
        if answer is not None:
            return self.refuse(flow, answer, request, "passes the checks of RFC 3261 §8.2")
        dialog: Dialog | None = None
        if merged is None:
            dialog = shared.dialogs.get(uas_id(request))
            if dialog is None:
                answer = response_to(request, 481)
                return self.refuse(flow, answer, request, "fits its dialog")
        sender = shared.doorkeeper.admit(flow.id, request, dialog, now)
        if isinstance(sender, Response):
            return self._turn_away(flow, sender, request)
        if dialog is not None:
            answer = dialog.admit(request)
            if answer is not None:
                return self.refuse(flow, answer, request, "fits its dialog")
        if request.method == "PRACK" and not self._confirm_provisional(flow, request, dialog, now):
            return None
        served = self._create(flow, request, key, merged, now)
        shared.flows.began(flow, served.id, size)
        served.dialog = dialog
        shared.report(RequestReceived(served.id, flow.id, request, dialog, sender))
        return None

    def _has_room(self, flow: Flow, request: Request) -> bool:
        flows = self._shared.flows
        if flows.has_room(flow):
            return True
        is_urgent = self._shared.config.capabilities.is_urgent(request)
        return is_urgent and flows.has_room(flow, is_urgent=True)

    def _turn_away(self, flow: Flow, refusal: Response, request: Request) -> None:
        """Without a transaction (§8.2.7, §26.3.2.4): the ACK that comes belongs to nothing."""
        self._shared.flows.counters.turned_away += 1
        if request.to.tag is None:
            _tag(refusal, request, new_tag())
        self._shared.flows.send(flow.id, refusal)

    def _create(
        self, flow: Flow, request: Request, key: ServerKey, merged: MergeKey | None, now: float
    ) -> Served:
        shared = self._shared
        kind = InviteServerTransaction if request.method == "INVITE" else NonInviteServerTransaction
        machine = kind(request, shared.config.timers, now)
        served = Served(shared.new_id(), flow, machine, key, self._ring)
        if merged is not None:
            served.tag, served.merge_key = new_tag(), merged
            self._merged.add(merged)
        self._by_id[served.id] = self._by_key[key] = served
        shared.deadlines.changed(served)
        return served

    def _cancel(self, flow: Flow, cancel: Request, via: Via, now: float) -> None:
        """§9.2: the CANCEL is answered by itself, the INVITE by 487 if nobody was faster."""
        served = self._by_key.get(server_key(flow.id, cancel, via, "INVITE"))
        if served is None:
            return self.refuse(flow, response_to(cancel, 481), cancel, "CANCEL follows an INVITE")
        answer = response_to(cancel, 200, to_tag=served.tag or None)
        self._shared.flows.send(flow.id, answer)
        if served.machine.state is State.PROCEEDING:
            self._refuse_invite(served, 487, now)
            served.is_cancelled = True
            self._shared.report(Cancelled(served.id, flow.id, cancel))
        return None

    def _acknowledge(self, flow: Flow, ack: Request, via: Via, now: float) -> None:
        served = self._by_key.get(server_key(flow.id, ack, via, "INVITE"))
        if served is not None:
            self._carry_out(served, served.machine.receive(ack, now), now)
            return
        served = self._unconfirmed.get((uas_id(ack), ack.cseq.number))
        if served is None or not self._may_confirm(served, flow):
            self._shared.flows.counters.stray += 1
            return
        self._confirm(served, flow, ack)

    def _may_confirm(self, served: Served, flow: Flow) -> bool:
        """By its own flow, or by another one of the dialog's peer."""
        if served.flow is flow or served.dialog is None:
            return True
        return self._shared.doorkeeper.knows(flow.id, served.dialog)

    def _confirm(self, served: Served, flow: Flow, ack: Request) -> None:
        """§13.3.1.4: the first ACK ends the retransmissions of a 2xx."""
        if served.answer is None or served.dialog is None:
            return
        self._end_answer(served, served.dialog)
        self._shared.report(Acknowledged(served.id, flow.id, ack, served.dialog))
        self._settle(served)

    def _confirm_provisional(
        self, flow: Flow, prack: Request, dialog: Dialog | None, now: float
    ) -> bool:
        """RFC 3262 §3; whether the transaction user must answer the PRACK."""
        served = self._reliable.get(dialog.id) if dialog else None
        if dialog is None or served is None or served.provisionals is None:
            self.refuse(flow, response_to(prack, 481), prack, "PRACK follows a response")
            return False
        if not served.provisionals.acknowledge(prack, now):
            self.refuse(flow, response_to(prack, 481), prack, "PRACK follows a response")
            return False
        self._shared.report(ProvisionalAcknowledged(served.id, dialog))
        if not prack.body:
            answer = response_to(prack, 200)
            dialog.answered(prack, answer)
            self._shared.flows.send(flow.id, answer)
        if (freed := served.provisionals.next(now)) is not None:
            self._transmit(served, freed, now)
        self._shared.deadlines.changed(served)
        return bool(prack.body)

    def _complete(self, served: Served, response: Response, now: float) -> None:
        """What the transaction user need not think of: tag, dialog, capabilities, session."""
        if response.status <= 100:
            return
        request, dialogs = served.request, self._shared.dialogs
        if served.tag:
            _tag(response, request, served.tag)
        if response.status >= 300:
            return
        if request.method == "INVITE":
            self._shared.config.capabilities.describe(response)
        if served.dialog is None and request.method in FORMING:
            served.dialog = Dialog.as_uas(request, response)
            dialogs.adopt(served.dialog)
        policy = self._shared.config.session
        is_final = response.status >= 200 and request.method in ("INVITE", "UPDATE")
        if policy and served.dialog and is_final:
            dialogs.run_session(served.dialog, agree(request, response, policy), now)

    def _in_order(
        self, served: Served, response: Response, now: float, reliably: bool
    ) -> Response | None:
        """The response as it may be sent now; None: it waits for a PRACK (RFC 3262 §3)."""
        request, provisionals = served.request, served.provisionals
        if 100 < response.status < 200 and request.method == "INVITE":
            required = "100rel" in request.require
            if reliably and not (required or "100rel" in request.supported):
                raise LocalError("response", "is reliable only where the peer supports 100rel")
            if (reliably or required) and served.dialog is not None:
                if provisionals is None:
                    provisionals = ReliableProvisionals(self._shared.config.timers)
                    served.provisionals = provisionals
                    self._reliable[served.dialog.id] = served
                return provisionals.offer(response, now)
        elif provisionals is not None and response.status >= 200:
            if provisionals.holds_back(response):
                return provisionals.offer(response, now)
            self._end_provisionals(served)
        return response

    def _transmit(self, served: Served, response: Response, now: float) -> None:
        request, dialog, status = served.request, served.dialog, response.status
        effects = served.machine.respond(response, now)
        if status >= 200:
            self._end_provisionals(served)
        if dialog is not None:
            dialog.answered(request, response)
            if request.method == "INVITE" and 200 <= status < 300:
                served.answer = Retransmission(response, self._shared.config.timers, now)
                self._unconfirmed[dialog.id, request.cseq.number] = served
            if _ends_dialog(dialog, request, status):
                self._shared.dialogs.drop(dialog)
        self._carry_out(served, effects, now)

    def _refuse_invite(self, served: Served, status: int, now: float) -> None:
        self._end_provisionals(served)
        refusal = response_to(served.request, status, to_tag=served.tag or None)
        self._transmit(served, refusal, now)

    def _ring(self, served: Served, now: float) -> None:
        answer, provisionals, machine = served.answer, served.provisionals, served.machine
        if answer is not None and served.dialog is not None and _is_due(answer.deadline, now):
            if answer.expire(now):
                self._repeat(served, served.dialog, answer.response)
            else:
                self._end_answer(served, served.dialog)
                self._shared.report(TimedOut(served.id, "ACK", served.dialog))
        if provisionals is not None and _is_due(provisionals.deadline, now):
            repeated = provisionals.expire(now)
            if repeated is not None:
                self._send(served, repeated)
            else:
                self._refuse_invite(served, 504, now)
                self._shared.report(TimedOut(served.id, "PRACK", served.dialog))
        if _is_due(machine.deadline, now):
            self._carry_out(served, machine.expire(now), now)
        self._settle(served)

    def _carry_out(self, served: Served, effects: list[Effect], now: float) -> None:
        for effect in effects:
            match effect:
                case Send(Response() as response):
                    self._send(served, response)
                case Deliver(Request() as ack):
                    self._confirm(served, served.flow, ack)
                case TimeOut(timer):
                    self._shared.report(TimedOut(served.id, timer, served.dialog))
                case _:  # LoseFlow
                    self._end_provisionals(served)
                    if served.dialog is not None:
                        served.dialog.lost(served.request)
                        if _ends_dialog(served.dialog, served.request, 503):
                            self._shared.dialogs.drop(served.dialog)
                    self._shared.report(FlowLost(served.id))
        self._settle(served)

    def _send(self, served: Served, response: Response) -> None:
        self._shared.flows.send(served.flow.id, response)

    def _repeat(self, served: Served, dialog: Dialog, response: Response) -> None:
        """A 2xx, by the connection that its phone has by now: a call belongs to no flow."""
        flow = self._shared.doorkeeper.way_to(dialog, served.flow.id)
        self._shared.flows.send(flow, response)

    def _end_answer(self, served: Served, dialog: Dialog) -> None:
        served.answer = None
        self._unconfirmed.pop((dialog.id, served.request.cseq.number), None)

    def _end_provisionals(self, served: Served) -> None:
        if served.provisionals is None or served.dialog is None:
            return
        served.provisionals.end()
        served.provisionals = None
        self._reliable.pop(served.dialog.id, None)

    def _settle(self, served: Served) -> None:
        if served.is_over and self._by_id.pop(served.id, None) is not None:
            del self._by_key[served.key]
            if served.merge_key is not None:
                self._merged.discard(served.merge_key)
            self._shared.flows.ended(served.flow, served.id)
        self._shared.deadlines.changed(served)


def _is_due(deadline: float | None, now: float) -> bool:
    return deadline is not None and deadline <= now


def _ends_dialog(dialog: Dialog, request: Request, status: int) -> bool:
    """A refusal ends an early dialog (§12.3), an accepted BYE any (§15.1.2)."""
    if request.method == "BYE":
        return 200 <= status < 300
    return status >= 300 and dialog.state.is_early and request.method in FORMING


def _note_source(flow: Flow, request: Request, via: Via) -> None:
    """Write into the top Via where the request really came from (§18.2.1, RFC 3581 §4)."""
    address, port = flow.facts.peer
    line = request.headers.first("Via") or ""
    if via.wants_rport:
        before, asked, after = line.partition(";rport")
        if asked and after[:1] in ("", ";") and via.received is None and not _is_intricate(line):
            # As phones write it: the rest stays as it is.
            request.headers.amend("Via", f"{before};rport={port}{after};received={address}")
            return
        found = {**via.parameters, "rport": str(port), "received": address}
    elif via.host.strip("[]") != address:
        found = {**via.parameters, "received": address}
    else:
        return
    rest = split_list(line, "Via")[1:] if "," in line else []
    top = Via(transport=via.transport, host=via.host, port=via.port, parameters=found)
    request.headers.amend("Via", ", ".join([str(top), *rest]))


def _is_intricate(line: str) -> bool:
    return "," in line or '"' in line


def _tag(response: Response, request: Request, tag: str) -> None:
    """Our To tag, unless the response has one already (§8.2.6.2)."""
    to = response.headers.first("To")
    if to == request.headers.first("To"):
        response.headers.amend("To", f"{to};tag={tag}")
