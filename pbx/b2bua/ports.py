"""What calls need of the world outside: a user agent, the registered phones, a clock.

`service` fits the stack, the registrar and the directory behind these; calls never import them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pbx.sip.dialog import Dialog, DialogId, DialogState
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Request, Response

NO_FLOW = FlowId(0)
"""No flow has this number: the device has not been heard of since the exchange came back."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a device can be reached: a flow, and the URI that it gave."""

    flow: FlowId
    uri: str
    path: tuple[str, ...] = ()
    """Route set from Path (RFC 3327)."""
    instance: str | None = None
    """+sip.instance (RFC 5626)."""


class UserAgent(Protocol):
    """The SIP stack with its driver: whatever is said here goes out at once."""

    def request(self, flow: FlowId, request: Request) -> TransactionId: ...
    def cancel(self, transaction: TransactionId, reason: str | None = None) -> None: ...
    def acknowledge(self, transaction: TransactionId, dialog: Dialog, flow: FlowId) -> bool: ...
    def respond(
        self, transaction: TransactionId, response: Response, *, reliably: bool = False
    ) -> bool: ...
    def dialog(self, dialog_id: DialogId) -> Dialog | None: ...
    def restore(self, state: DialogState) -> Dialog: ...
    def drop(self, dialog: Dialog) -> None: ...
    def facts(self, flow: FlowId) -> FlowFacts | None: ...


class Phones(Protocol):
    """Who is registered where."""

    def contacts_of(self, device: UUID) -> Sequence[Contact]: ...

    def flow_of(self, device: UUID, held: FlowId) -> FlowId:
        """Where the device is reached now, when it was spoken with on the flow `held`."""
        ...

    def authentication_of(self, flow: FlowId) -> str:
        """How the device on this flow proved itself: "certificate", "digest SHA-256" …"""
        ...
