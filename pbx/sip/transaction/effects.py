"""What a transaction asks of the stack: imperatives, carried out in the order given."""

from msgspec import Struct

from pbx.sip.message import Message


class Send(Struct, frozen=True):
    """Write the message to the transaction's flow."""

    message: Message


class Deliver(Struct, frozen=True):
    """Hand the message to the transaction user."""

    message: Message


class SendCancel(Struct, frozen=True):
    """The INVITE has been answered provisionally and may be cancelled now (RFC 3261 §9.1)."""


class TimeOut(Struct, frozen=True):
    """Tell the transaction user that nobody answered; `timer` is the RFC's letter."""

    timer: str


class LoseFlow(Struct, frozen=True):
    """Tell the transaction user that the flow is gone (RFC 3261 §17.1.4, §17.2.4)."""


Effect = Send | Deliver | SendCancel | TimeOut | LoseFlow
