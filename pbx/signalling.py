"""The transaction user: every SIP event finds who it is for (RFC 3261 §5).

Requests have passed the doorkeeper; the registrar gets REGISTER, calls get INVITE and what belongs
to their dialogs. Nothing here waits: calls run in tasks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pbx.access.authenticate import Admitted
from pbx.b2bua.caller_leg import user_of
from pbx.b2bua.calls import Calls
from pbx.b2bua.location import PIDF
from pbx.dialplan.emergency import is_emergency
from pbx.dialplan.numbers import dialled
from pbx.directory import Directory
from pbx.doorkeeper import Doorkeeper
from pbx.location import Bound, Change, Location
from pbx.registrar import Arrival, Registrant, Registrar
from pbx.sip import events as sip
from pbx.sip.checks import Capabilities, options
from pbx.sip.dialog import Dialog, DialogId, DialogState
from pbx.sip.errors import PeerError
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Request, Response, response_to
from pbx.sip.multipart import MIXED
from pbx.sip.stack import Stack
from pbx.voicemail.lamps import Lamps

METHODS = (
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "SUBSCRIBE",
    "REFER",
)  # fmt: skip


def _is_urgent(request: Request) -> bool:
    """An emergency call is not refused for an extension that we do not know."""
    try:
        number = dialled(user_of(request))
    except PeerError:
        return False
    return request.method == "INVITE" and number is not None and is_emergency(number)


CAPABILITIES = Capabilities(
    methods=METHODS,
    extensions=("100rel", "gruu", "norefersub", "outbound", "path", "replaces", "timer"),
    accept=(*Capabilities().accept, MIXED, PIDF),
    is_urgent=_is_urgent,
)


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

    def respond(
        self, transaction: TransactionId, response: Response, *, reliably: bool = False
    ) -> bool:
        sent = self._stack.respond(transaction, response, self._now(), reliably=reliably)
        self._poke()
        return sent

    def dialog(self, dialog_id: DialogId) -> Dialog | None:
        return self._stack.dialog(dialog_id)

    def restore(self, state: DialogState) -> Dialog:
        dialog = self._stack.restore(state, self._now())
        self._poke()
        return dialog

    def drop(self, dialog: Dialog) -> None:
        self._stack.drop(dialog)

    def facts(self, flow: FlowId) -> FlowFacts | None:
        return self._stack.facts(flow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What signalling is made of; `service` makes them."""

    agent: Agent
    doorkeeper: Doorkeeper
    location: Location
    registrar: Registrar
    calls: Calls
    lamps: Lamps
    directory: Callable[[], Directory]
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
            case sip.FlowClosed(flow):
                self._p.doorkeeper.closed(flow)
                self._report(self._p.location.flow_lost(flow))
            case _:
                if not self._p.lamps.receive(event):
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
        match event.request.method, event.sender:
            case "REGISTER", Admitted() as admitted:
                self._register(event, admitted)
            case "INVITE", Admitted() as admitted:
                self._p.calls.admit(event, admitted.device)
            case "SUBSCRIBE", Admitted() as admitted:
                self._p.lamps.subscribe(event, admitted.device)
            case "OPTIONS", _:
                self._respond(event, options(event.request, CAPABILITIES))
            case _:
                self._respond(event, response_to(event.request, 481))

    def _in_dialog(self, event: sip.RequestReceived, dialog: Dialog) -> None:
        device = self._p.lamps.device_of(dialog)
        if device is None:
            self._p.calls.receive(event)
        elif event.request.method == "SUBSCRIBE":
            self._p.lamps.subscribe(event, device)
        else:
            self._respond(event, response_to(event.request, 481))

    def _register(self, event: sip.RequestReceived, admitted: Admitted) -> None:
        facts = self._p.agent.facts(event.flow)
        if facts is None:
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

    def _respond(self, event: sip.RequestReceived, response: Response) -> None:
        self._p.agent.respond(event.transaction, response)

    def _report(self, changes: Sequence[Change]) -> None:
        now = self._loop.time()
        first = math.inf
        for change in changes:
            expires_at = change.binding.expires_at
            self._p.changed(change, expires_at - now)
            first = min(first, expires_at)
            if self._p.calls.goodbyes and isinstance(change, Bound):
                self._p.calls.goodbyes.reachable(UUID(change.binding.device))
        if self._expiry is None or first < self._expiry.when():
            self._arm()  # else it rings early enough

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
