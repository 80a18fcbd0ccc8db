"""What a transaction asks of the stack: imperatives, carried out in the order given."""

from dataclasses import dataclass

from pbx.sip.message import Message


@dataclass(frozen=True, slots=True)
class Send:
    """Write the message to the transaction's flow."""

    message: Message


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand the message to the transaction user."""

    message: Message


@dataclass(frozen=True, slots=True)
class SendCancel:
    """The INVITE has been answered provisionally and may be cancelled now (RFC 3261 §9.1)."""


@dataclass(frozen=True, slots=True)
class TimeOut:
    """Tell the transaction user that nobody answered; `timer` is the RFC's letter."""

    timer: str


@dataclass(frozen=True, slots=True)
class LoseFlow:
    """Tell the transaction user that the flow is gone (RFC 3261 §17.1.4, §17.2.4)."""


Effect = Send | Deliver | SendCancel | TimeOut | LoseFlow
