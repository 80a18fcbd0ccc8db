"""A worker's line to the key holder: one question at a time, from a thread, never from its loop.

What carries a message key is read into buffers of our own and overwritten; msgspec copies the key
into the one `bytearray` that is handed on.
"""

import socket
from pathlib import Path

import msgspec

from storage.keyholder import protocol
from storage.keyholder.client import KeyHolderUnavailable, Refused
from storage.keyholder.framing import frame
from storage.keyholder.protocol import MAX_FRAME
from storage.keyholder.vouchers import Vouched
from storage.sealed.primitives import wipe

_answers = msgspec.msgpack.Decoder(tuple[int, protocol.AnyAnswer])


class Line:
    """Connects for each question: they are few, and a key holder that came back is found."""

    def __init__(self, path: Path, deadline: float = 5.0) -> None:
        self._path, self._deadline = path, deadline

    def challenge(self) -> protocol.Challenge:
        """For a proof of what was typed here."""
        answer = self._ask(protocol.AskChallenge())
        if not isinstance(answer, protocol.Challenge):
            raise KeyHolderUnavailable("the key holder answered something else")
        return answer

    def open_message(
        self, ticket: bytes, content: bytes, slot: bytes, vouched: Vouched
    ) -> bytearray:
        """Redeems a ticket, once."""
        request = protocol.OpenMessage(ticket, content, slot, vouched.voucher, vouched.asker)
        answer = self._ask(request)
        if not isinstance(answer, protocol.MessageKey):
            raise KeyHolderUnavailable("the key holder answered something else")
        return answer.key

    def _ask(self, request: protocol.Request) -> protocol.AnyAnswer:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self._deadline)
                connection.connect(str(self._path))
                connection.sendall(frame(1, request))
                answer = _read(connection)
        except (OSError, msgspec.MsgspecError):
            raise KeyHolderUnavailable("the key holder does not answer") from None
        match answer:
            case protocol.Refusal():
                raise Refused("refused")
            case protocol.Shut(state=state):
                raise KeyHolderUnavailable(f"the key holder is {state}")
        return answer


def _read(connection: socket.socket) -> protocol.AnyAnswer:
    body = bytearray()
    try:
        length = int.from_bytes(_exactly(connection, bytearray(4)), "big")
        if length > MAX_FRAME:
            raise OSError("frame: longer than 1 MiB")
        body = _exactly(connection, bytearray(length))
        return _answers.decode(body)[1]
    finally:
        wipe(body)


def _exactly(connection: socket.socket, space: bytearray) -> bytearray:
    with memoryview(space) as view:
        filled = 0
        while filled < len(view):
            if not (size := connection.recv_into(view[filled:])):
                raise OSError("the key holder hung up")
            filled += size
    return space
