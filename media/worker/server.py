"""The worker's end of the control socket: one exchange at a time, its account checked.

Non-blocking on the relay's own loop; requests are carried out as they come. A connection that
breaks the protocol or does not read is closed: the exchange comes back and asks what lives.
"""

import socket
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from media.control import (
    LENGTH,
    MAX_MESSAGE,
    UNASKED,
    AnyReply,
    AnyVerb,
    Failed,
    Fault,
    Hello,
    Request,
)
from media.errors import (
    AnswerRefused,
    LegGone,
    MediaError,
    MediaFull,
    MessageRefused,
    OfferRefused,
    SdpRefused,
)
from media.values import MediaEvent
from media.worker.loop import Loop

log = structlog.get_logger()

CREDENTIALS = struct.Struct("3i")
MAX_UNSENT = 4 * MAX_MESSAGE
CHUNK = 16_384
SOCKET_MODE = 0o660


class Server:
    """Listens, and serves the newest connection."""

    def __init__(
        self,
        loop: Loop,
        path: Path,
        peers: frozenset[int],
        act: Callable[[int, AnyVerb], AnyReply | None],
        hello: Callable[[], Hello],
    ) -> None:
        self._loop, self._path, self._peers = loop, path, peers
        self._act, self._hello = act, hello
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Request)
        self._connection: socket.socket | None = None
        self._incoming = bytearray()
        self._unsent = bytearray()
        self._is_waiting = False
        self.asked_at = loop.now()
        """When the exchange last said anything."""
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        path.chmod(SOCKET_MODE)
        self._listener.listen(4)
        self._listener.setblocking(False)
        loop.watch(self._listener.fileno(), self._accept)

    def tell(self, event: MediaEvent) -> None:
        """Say something unasked; if nobody listens it is lost, like the call it was about."""
        if self._connection is not None:
            self._send(event)

    def later(self) -> Callable[[AnyReply], None]:
        """For an answer that takes its time: reaches whoever asks now, nobody who comes after."""
        asker = self._connection

        def reply(answer: AnyReply) -> None:
            if asker is not None and self._connection is asker:
                self._send(answer)

        return reply

    def close(self) -> None:
        """Stop listening."""
        self._hang_up()
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        if CREDENTIALS.unpack(raw)[1] not in self._peers:
            log.warning("media control refused another account")
            connection.close()
            return
        self._hang_up()
        connection.setblocking(False)
        self._connection = connection
        self._loop.watch(connection.fileno(), self._ready)
        self.asked_at = self._loop.now()
        self._send(self._hello())

    def _ready(self) -> None:
        if self._unsent:
            self._flush()
        connection = self._connection
        if connection is None:
            return
        try:
            data = connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        self.asked_at = self._loop.now()
        self._incoming += data
        try:
            self._serve(connection)
        except (msgspec.DecodeError, ValueError):
            log.warning("media control message malformed")
            self._hang_up()

    def _serve(self, connection: socket.socket) -> None:
        incoming = self._incoming
        while len(incoming) >= LENGTH.size and self._connection is connection:
            (size,) = LENGTH.unpack_from(incoming)
            if size > MAX_MESSAGE:
                raise ValueError("message: too long")
            end = LENGTH.size + size
            if len(incoming) < end:
                return
            request = self._decoder.decode(bytes(incoming[LENGTH.size : end]))
            del incoming[:end]
            reply = self._reply(request)
            if reply is not None and request.number != UNASKED:
                self._send(reply)

    def _reply(self, request: Request) -> AnyReply | None:
        try:
            return self._act(request.number, request.verb)
        except MediaError as error:
            return Failed(request.number, fault_of(error))
        except Exception:  # noqa: BLE001 - one request must not end every call of this worker
            log.error("media request failed", kind=type(request.verb).__name__)
            return Failed(request.number, Fault("misuse", "the media worker failed at this"))

    def _send(self, message: AnyReply) -> None:
        body = self._encoder.encode(message)
        self._unsent += LENGTH.pack(len(body)) + body
        if len(self._unsent) > MAX_UNSENT:
            self._hang_up()
        else:
            self._flush()

    def _flush(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            sent = connection.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._hang_up()
            return
        del self._unsent[:sent]
        if bool(self._unsent) != self._is_waiting:
            self._is_waiting = bool(self._unsent)
            self._loop.want_write(connection.fileno(), self._is_waiting)

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        self._incoming.clear()
        self._unsent.clear()
        self._is_waiting = False
        if connection is not None:
            self._loop.forget(connection.fileno())
            connection.close()


def fault_of(error: MediaError) -> Fault:
    """An error as it travels."""
    match error:
        case OfferRefused():
            return Fault("offer", error.reason, error.status, error.warning)
        case AnswerRefused() | SdpRefused():
            return Fault("answer", error.reason, error.status, error.warning)
        case LegGone():
            return Fault("gone", str(error))
        case MessageRefused():
            return Fault("message", error.fault)
        case MediaFull():
            return Fault("full", str(error))
        case _:
            return Fault("misuse", str(error))
