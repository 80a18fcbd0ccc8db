"""Who may say what: asked before a request changes anything (RFC 3261 §8.2, §22.1, §26.3.2.4).

A refusal is stateless, so that a stranger's request costs no memory, and it uses up nothing of
the dialog that the request claims to belong to.
"""

from typing import Protocol

from pbx.sip.dialog import Dialog
from pbx.sip.flows import FlowId
from pbx.sip.message import Request, Response


class Doorkeeper(Protocol):
    """Knows the peers; what it calls the sender of a request is its own affair."""

    def admit(
        self, flow: FlowId, request: Request, dialog: Dialog | None, now: float
    ) -> Response | object:
        """The response that turns the request away, or its sender for `RequestReceived`."""
        ...

    def knows(self, flow: FlowId, dialog: Dialog) -> bool:
        """Whether the flow is that of the dialog's peer: an ACK cannot be challenged."""
        ...

    def way_to(self, dialog: Dialog, held: FlowId) -> FlowId:
        """The flow that the dialog's peer has now, where it was spoken with on `held`."""
        ...


class OpenDoor:
    """For a stack whose user judges by itself."""

    def admit(
        self, flow: FlowId, request: Request, dialog: Dialog | None, now: float
    ) -> Response | object:
        """Everybody."""
        return None

    def knows(self, flow: FlowId, dialog: Dialog) -> bool:
        """Everybody."""
        return True

    def way_to(self, dialog: Dialog, held: FlowId) -> FlowId:
        """The one that is known."""
        return held
