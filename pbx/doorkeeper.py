"""Who a request is from, and whether they may say it, before anything comes of it.

A call belongs to its device, not to a flow: on a flow on which it has not proved itself, a device
proves itself first. An emergency call on a flow with a live binding is never challenged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pbx.access.authenticate import Admitted
from pbx.b2bua.caller_leg import user_of
from pbx.dialplan.emergency import is_emergency
from pbx.dialplan.numbers import dialled
from pbx.reachable import RegisteredPhones
from pbx.sip.dialog import Dialog
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Request, Response, response_to


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """What the doorkeeper knows and tells."""

    gate: Gate
    phones: RegisteredPhones
    facts: Callable[[FlowId], FlowFacts | None]
    owner: Callable[[Dialog], UUID | None]
    """The device at the other end of a dialog; None: the call is over."""
    authenticated: Callable[[FlowId], None]
    """Tells the driver that a flow is a stranger no longer."""
    surplus: Callable[[FlowId], None]
    """Hears of a flow to be closed, later: its device has so many newer ones."""


class Doorkeeper:
    """What the stack asks (`pbx.sip.doorkeeper`)."""

    def __init__(self, premises: Premises) -> None:
        self._p = premises

    def admit(
        self, flow: FlowId, request: Request, dialog: Dialog | None, now: float
    ) -> Response | Admitted | None:
        """The sender, if it had to prove who it is, or the refusal."""
        if dialog is not None:
            return self._in_dialog(flow, request, dialog, now)
        if request.method == "INVITE":
            return self._emergency_caller(flow, request) or self._prove(flow, request, now)
        if request.method in ("REGISTER", "SUBSCRIBE"):
            return self._prove(flow, request, now)
        return None

    def knows(self, flow: FlowId, dialog: Dialog) -> bool:
        """Whether the dialog's own device has proved itself on this flow."""
        proved = self._p.phones.proved(flow)
        return proved is not None and proved.device == self._p.owner(dialog)

    def way_to(self, dialog: Dialog, held: FlowId) -> FlowId:
        """The flow on which the dialog's own device is reached now."""
        owner = self._p.owner(dialog)
        return held if owner is None else self._p.phones.flow_of(owner, held)

    def closed(self, flow: FlowId) -> None:
        """The flow is gone, and what was proved on it."""
        self._p.gate.closed(flow)
        self._p.phones.lost(flow)

    def _in_dialog(
        self, flow: FlowId, request: Request, dialog: Dialog, now: float
    ) -> Response | Admitted | None:
        owner = self._p.owner(dialog)
        if owner is None:
            return response_to(request, 481)
        if self.knows(flow, dialog):
            return None
        verdict = self._prove(flow, request, now)
        if isinstance(verdict, Admitted) and verdict.device != owner:
            return response_to(request, 403)
        return verdict

    def _emergency_caller(self, flow: FlowId, request: Request) -> Admitted | None:
        number = dialled(user_of(request))
        if number is None or not is_emergency(number):
            return None
        proved = self._p.phones.proved(flow)
        if proved is None or not self._p.phones.is_bound(proved.device, flow):
            return None
        return proved

    def _prove(self, flow: FlowId, request: Request, now: float) -> Response | Admitted:
        facts = self._p.facts(flow)
        if facts is None:
            return response_to(request, 403)
        verdict = self._p.gate.admit(flow, facts, request, now)
        if isinstance(verdict, Admitted):
            self._p.authenticated(flow)
            surplus = self._p.phones.prove(flow, verdict)
            if surplus is not None:
                self._p.surplus(surplus)
        return verdict
