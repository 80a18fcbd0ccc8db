"""The transaction user: every SIP event finds who it is for (RFC 3261 §5).

Requests are authenticated here, before anything else looks at them; the registrar gets REGISTER,
calls get INVITE and what belongs to their dialogs. Nothing here waits: calls run in tasks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pbx.access.authenticate import Admitted
from pbx.b2bua.caller_leg import user_of
from pbx.b2bua.calls import Calls
from pbx.b2bua.ports import Contact
from pbx.dialplan.emergency import is_emergency
from pbx.dialplan.numbers import dialled
from pbx.directory import Directory
from pbx.location import Change, Location
from pbx.registrar import Arrival, Registrant, Registrar
from pbx.sip import events as sip
from pbx.sip.checks import Capabilities, options
from pbx.sip.dialog import Dialog, DialogId
from pbx.sip.errors import PeerError
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Request, Response, response_to
from pbx.sip.stack import Stack

METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO")


def _is_urgent(request: Request) -> bool:
    """An emergency call is not refused for an extension that we do not know."""
    try:
        number = dialled(user_of(request))
    except PeerError:
        return False
    return request.method == "INVITE" and number is not None and is_emergency(number)


CAPABILITIES = Capabilities(
    methods=METHODS, extensions=("100rel", "outbound", "path", "timer"), is_urgent=_is_urgent
)


class Gate(Protocol):
    """Authentication of devices (`pbx.access.authenticate`)."""

    def admit(
        self, flow: FlowId, facts: FlowFacts, request: Request, now: float
    ) -> Admitted | Response:
        """Who sent this, or the challenge or refusal to send back."""
        ...

    def closed(self, flow: FlowId) -> None:
        """The flow is gone, and what it proved with it."""
        ...


class Agent:
    """The stack and its driver, as calls use them: what is said goes out at once."""

    def __init__(self, stack: Stack, poke: Callable[[], None]) -> None:
        self._stack = stack
        self._poke = poke
        self._now = asyncio.get_running_loop().time

    def request(self, flow: FlowId, request: Request) -> TransactionId:
        transaction = self._stack.request(flow, request, self._now())
        self._poke()
        return transaction

    def cancel(self, transaction: TransactionId, reason: str | None = None) -> None:
        self._stack.cancel(transaction, self._now(), reason)
        self._poke()

    def acknowledge(self, transaction: TransactionId, dialog: Dialog, flow: FlowId) -> bool:
        sent = self._stack.acknowledge(transaction, dialog, flow)
        self._poke()
        return sent

    def respond(self, transaction: TransactionId, response: Response) -> bool:
        sent = self._stack.respond(transaction, response, self._now())
        self._poke()
        return sent

    def dismiss(self, transaction: TransactionId, response: Response) -> bool:
        sent = self._stack.dismiss(transaction, response, self._now())
        self._poke()
        return sent

    def dialog(self, dialog_id: DialogId) -> Dialog | None:
        return self._stack.dialog(dialog_id)

    def facts(self, flow: FlowId) -> FlowFacts | None:
        return self._stack.facts(flow)


class RegisteredPhones:
    """The location service, as calls use it."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._proved: dict[FlowId, Admitted] = {}

    def contacts_of(self, device: UUID) -> Sequence[Contact]:
        return [
            Contact(binding.flow, binding.uri, binding.path)
            for binding in self._location.bindings_of(str(device))
        ]

    def flow_of(self, device: UUID, held: FlowId) -> FlowId:
        """`held` while the device is registered there (it may be one phone of several with this
        identity); else the newest flow on which the device has proved itself."""
        if self.is_bound(device, held):
            return held
        newest = self._location.flow_of(str(device))
        if newest is not None and newest in self._proved:
            return newest
        if held in self._proved:
            return held
        return max(self.flows_of(device), default=held)  # the one that was opened last

    def authentication_of(self, flow: FlowId) -> str:
        proved = self._proved.get(flow)
        return proved.how if proved else ""

    def proved(self, flow: FlowId) -> Admitted | None:
        """Who has proved themselves on this flow, last."""
        return self._proved.get(flow)

    def prove(self, flow: FlowId, admitted: Admitted) -> None:
        if self._proved.get(flow) != admitted:
            self._proved[flow] = admitted
            self._location.flow_proved(str(admitted.device), flow)

    def lost(self, flow: FlowId) -> None:
        self._proved.pop(flow, None)

    def flows_of(self, device: UUID) -> list[FlowId]:
        """Flows on which the device has proved itself."""
        return [flow for flow, proved in self._proved.items() if proved.device == device]

    def is_bound(self, device: UUID, flow: FlowId) -> bool:
        """Whether the device has a live binding on this flow."""
        return any(b.flow == flow for b in self._location.bindings_of(str(device)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What signalling is made of; `service` makes them."""

    agent: Agent
    gate: Gate
    location: Location
    phones: RegisteredPhones
    registrar: Registrar
    calls: Calls
    directory: Callable[[], Directory]
    authenticated: Callable[[FlowId], None]
    """Tells the driver that a flow is a stranger no longer."""
    changed: Callable[[Change, float], None]
    """Hears of every change of bindings, with the seconds until it expires."""
    node: str = "exchange"


class Signalling:
    """Give `deliver` to the driver."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts
        self._loop = asyncio.get_running_loop()
        self._expiry: asyncio.TimerHandle | None = None

    def deliver(self, event: sip.Event) -> None:
        """One event of the stack."""
        match event:
            case sip.RequestReceived():
                self._requested(event)
            case sip.Acknowledged():
                self._acknowledged(event)
            case sip.FlowClosed(flow):
                self._p.gate.closed(flow)
                self._p.phones.lost(flow)
                self._report(self._p.location.flow_lost(flow))
            case _:
                self._p.calls.receive(event)

    def close(self) -> None:
        """No timer of ours is left behind."""
        if self._expiry is not None:
            self._expiry.cancel()

    def forget(self, device: UUID) -> None:
        """The device may no longer register: its bindings end."""
        self._report(self._p.location.device_removed(str(device)))

    def _requested(self, event: sip.RequestReceived) -> None:
        if event.dialog is not None:
            self._in_dialog(event, event.dialog)
            return
        match event.request.method:
            case "REGISTER":
                self._register(event)
            case "INVITE":
                self._invite(event)
            case "OPTIONS":
                self._respond(event, options(event.request, CAPABILITIES))
            case _:
                self._respond(event, response_to(event.request, 481))

    def _in_dialog(self, event: sip.RequestReceived, dialog: Dialog) -> None:
        """A call belongs to its device: on a new flow the device proves itself first."""
        owner = self._p.calls.device_of(dialog)
        proved = self._p.phones.proved(event.flow)
        if owner is not None and (proved is None or proved.device != owner):
            admitted = self._admit(event)
            if admitted is None:
                dialog.disown(event.request)
                return
            if admitted.device != owner:
                self._respond(event, response_to(event.request, 403))
                dialog.disown(event.request)
                return
        self._p.calls.receive(event)

    def _acknowledged(self, event: sip.Acknowledged) -> None:
        """An ACK cannot be challenged (RFC 3261 §22.1): by a strange flow it describes nothing."""
        proved = self._p.phones.proved(event.flow)
        if proved is None or proved.device != self._p.calls.device_of(event.dialog):
            event.request.body = b""
        self._p.calls.receive(event)

    def _register(self, event: sip.RequestReceived) -> None:
        admitted = self._admit(event)
        facts = self._p.agent.facts(event.flow)
        if admitted is None or facts is None:
            return
        entry = self._p.directory().devices.get(admitted.device)
        name = entry.username if entry is not None else ""
        registered = self._p.registrar.register(
            event.request,
            Registrant(str(admitted.device), name),
            Arrival(event.flow, self._p.node, facts.peer[0]),
            self._loop.time(),
        )
        self._respond(event, registered.response)
        self._report(registered.changes)

    def _invite(self, event: sip.RequestReceived) -> None:
        device = self._emergency_caller(event)
        if device is None:
            admitted = self._admit(event)
            if admitted is None:
                return
            device = admitted.device
        self._p.calls.admit(event, device)

    def _emergency_caller(self, event: sip.RequestReceived) -> UUID | None:
        """An emergency call on a flow with a live binding is never challenged."""
        number = dialled(user_of(event.request))
        if number is None or not is_emergency(number):
            return None
        proved = self._p.phones.proved(event.flow)
        if proved is None or not self._p.phones.is_bound(proved.device, event.flow):
            return None
        return proved.device

    def _admit(self, event: sip.RequestReceived) -> Admitted | None:
        facts = self._p.agent.facts(event.flow)
        if facts is None:
            return None
        verdict = self._p.gate.admit(event.flow, facts, event.request, self._loop.time())
        if isinstance(verdict, Response):
            self._p.agent.dismiss(event.transaction, verdict)
            return None
        self._p.authenticated(event.flow)
        self._p.phones.prove(event.flow, verdict)
        return verdict

    def _respond(self, event: sip.RequestReceived, response: Response) -> None:
        self._p.agent.respond(event.transaction, response)

    def _report(self, changes: Sequence[Change]) -> None:
        now = self._loop.time()
        for change in changes:
            self._p.changed(change, change.binding.expires_at - now)
        self._arm()

    def _arm(self) -> None:
        deadline = self._p.location.next_deadline()
        if self._expiry is not None:
            if deadline is not None and self._expiry.when() <= deadline:
                return
            self._expiry.cancel()
            self._expiry = None
        if deadline is not None:
            self._expiry = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        self._report(self._p.location.expire(self._loop.time()))
