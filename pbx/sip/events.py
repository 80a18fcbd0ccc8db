"""What the stack tells the transaction user, in the order it happened."""

from __future__ import annotations

from typing import NewType

from msgspec import Struct

from pbx.sip.dialog import Dialog
from pbx.sip.flows import FlowId
from pbx.sip.message import Request, Response

TransactionId = NewType("TransactionId", int)
"""A handle; one that is over is merely unknown, so nobody has to mind its end."""


class RequestReceived(Struct, frozen=True):
    """A request that passed the checks of RFC 3261 §8.2 and waits for `Stack.respond`."""

    transaction: TransactionId
    flow: FlowId
    request: Request
    dialog: Dialog | None
    """The dialog it belongs to; None: it is outside any."""
    sender: object = None
    """What the doorkeeper said of it."""


class Cancelled(Struct, frozen=True):
    """The caller gave its INVITE up (§9.2); 487 has been sent."""

    transaction: TransactionId
    flow: FlowId
    request: Request
    """The CANCEL; it may carry a Reason."""


class Acknowledged(Struct, frozen=True):
    """The first ACK of our 2xx (§13.3.1.4); with a late offer it carries the answer."""

    transaction: TransactionId
    flow: FlowId
    request: Request
    dialog: Dialog


class ProvisionalAcknowledged(Struct, frozen=True):
    """A PRACK confirmed our reliable provisional response (RFC 3262 §3).

    One without body has been answered 200; one with a body follows as RequestReceived.
    """

    transaction: TransactionId
    """The INVITE's."""
    dialog: Dialog


class ResponseReceived(Struct, frozen=True):
    """A response to a request of ours; retransmissions are not reported."""

    transaction: TransactionId
    flow: FlowId
    response: Response
    dialog: Dialog | None


class TimedOut(Struct, frozen=True):
    """Nobody answered.

    `timer` is B or F for requests of ours (treat as 408), H for a refusal without ACK, F for a
    request we did not answer in time, ACK for a 2xx and PRACK for a reliable provisional response
    that was never confirmed (after ACK: send BYE; after PRACK: 504 has been sent).
    """

    transaction: TransactionId
    timer: str
    dialog: Dialog | None = None


class FlowLost(Struct, frozen=True):
    """The flow closed before the transaction was over (treat as 503)."""

    transaction: TransactionId


class FlowClosed(Struct, frozen=True):
    """The flow is gone; comes after the FlowLost of its transactions."""

    flow: FlowId


class MessageRefused(Struct, frozen=True):
    """A message that the stack answered by itself, or dropped (`status` 0)."""

    flow: FlowId
    header: str
    rule: str
    status: int


class RefreshDue(Struct, frozen=True):
    """Half the session interval is over and refreshing is ours (RFC 4028 §10)."""

    dialog: Dialog


class SessionExpired(Struct, frozen=True):
    """Nobody refreshed the session: send BYE (RFC 4028 §10)."""

    dialog: Dialog


Event = (
    RequestReceived
    | Cancelled
    | Acknowledged
    | ProvisionalAcknowledged
    | ResponseReceived
    | TimedOut
    | FlowLost
    | FlowClosed
    | MessageRefused
    | RefreshDue
    | SessionExpired
)
