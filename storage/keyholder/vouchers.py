"""Vouchers: for whom a message is opened is said by the person's own worker or command.

Who signs in draws a secret, the binding, and seals it with password or PIN; it never passes the
exchange readable. A ticket is redeemed only with a voucher made with it: of the leg on which the
PIN was typed, for that ticket alone; or of the command in which the password was typed, for one
message and the one ephemeral key it is sealed anew to. So whoever has taken the exchange over, and
the handle of a session with it, opens nothing into a leg or to a key of its own.
"""

from dataclasses import dataclass
from uuid import UUID

from storage.sealed import primitives

BINDING = 32
"""Octets of it."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """What comes with a ticket when it is redeemed."""

    voucher: bytes
    asker: bytes = b""
    """Of the key it is sealed anew to (`asker_id`); empty: it is heard, or sent on, on a leg."""


def of_leg(binding: primitives.Bytes, ticket: bytes, content: bytes) -> Vouched:
    """By the worker, for what is heard or sent on where the PIN was typed."""
    return Vouched(primitives.mac(binding, "voucher of a leg v1", ticket + content))


def of_command(binding: primitives.Bytes, message: UUID, suite: str, public: bytes) -> bytes:
    """By the command, for the ephemeral key of one listening or export."""
    return _of_command(binding, message, asker_id(suite, public))


def asker_id(suite: str, public: bytes) -> bytes:
    """What stands for an ephemeral key; the worker computes it of the key it will seal to."""
    return primitives.sha256(b"asker v1\0", suite.encode(), b"\0", public)


def is_good(
    binding: bytes, vouched: Vouched, *, ticket: bytes, content: bytes, message: UUID
) -> bool:
    """In the key holder; a session without a binding opens no message."""
    if len(binding) != BINDING:
        return False
    expected = (
        _of_command(binding, message, vouched.asker)
        if vouched.asker
        else of_leg(binding, ticket, content).voucher
    )
    return primitives.equal(expected, vouched.voucher)


def _of_command(binding: primitives.Bytes, message: UUID, asker: bytes) -> bytes:
    return primitives.mac(binding, "voucher of a command v1", message.bytes + asker)
