"""TLS over a socket, a piece at a time.

OpenSSL, given the socket itself, reads on as long as what comes is not for us: a stranger that
sent key updates (RFC 8446 §4.6.3), or hellos in the middle, as fast as it could kept the whole
exchange waiting for seconds on end. So the socket is read here, so much at once and no more, and
whoever sends a lot that comes to nothing is broken off. The words are those of `ssl.SSLSocket`.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

_PIECE = 4_096
"""Read from the socket at once; as key updates it is about five milliseconds of work."""
_MOST_FRUITLESS = 24_576
"""So much may come without a word in it. A whole record has 16 KiB and a little (RFC 8446 §5.2)."""


class Channel:
    """One connection; never waits."""

    __slots__ = ("_fruitless", "_in", "_out", "_read", "_receive", "_tls", "_unsent", "has_ended",
                 "socket")  # fmt: skip

    def __init__(
        self, plain: socket.socket, context: ssl.SSLContext, server: str | None = None
    ) -> None:
        """`server`: whom we call; None: we are called."""
        self.socket = plain
        self.has_ended = False
        """The peer has said its last."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._in, self._out, server_side=server is None, server_hostname=server
        )
        self._receive, self._read = plain.recv, self._tls.read
        self._unsent = b""
        self._fruitless = 0

    # -- what a connection says of itself

    def fileno(self) -> int:
        return self.socket.fileno()

    def version(self) -> str | None:
        return self._tls.version()

    def cipher(self) -> tuple[str, str, int] | None:
        return self._tls.cipher()

    def certificate(self) -> bytes | None:
        """The peer's, if it has shown one."""
        return self._tls.getpeercert(binary_form=True)

    def getsockname(self) -> Any:
        return self.socket.getsockname()

    def getpeername(self) -> Any:
        return self.socket.getpeername()

    @property
    def has_more(self) -> bool:
        """Something was read with the last of the handshake: no socket will tell of it."""
        return self._in.pending > 0

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken yet."""
        return len(self._unsent)

    # -- what is done with it

    def do_handshake(self) -> None:
        """Go on with it; `SSLWantReadError`, `SSLWantWriteError`: it is not over."""
        self._fill()
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self.flush()
            raise
        finally:
            self._push()
        self._fruitless = 0

    def recv(self, size: int) -> bytes:
        """What one piece of the stream says, in portions of `size`; `SSLWantReadError`: nothing
        yet; empty: the peer has ended."""
        self._fill()
        found = b""
        try:
            while self._in.pending or self._in.eof:
                data = self._read(size)
                if not data:
                    self.has_ended = True
                    break
                found += data
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:  # without a goodbye, as phones do
            self.has_ended = True
        finally:
            self._push()  # an alert, or our own next keys
        if found:
            self._fruitless = 0
        elif not self.has_ended:
            raise ssl.SSLWantReadError
        return found

    def send(self, data: bytes | bytearray) -> int:
        """How much of it was taken; `SSLWantWriteError`: nothing."""
        if self._unsent:
            self.flush()
        taken = self._tls.write(data)
        self._push()
        return taken

    def flush(self) -> None:
        """`SSLWantWriteError`: the socket has not taken everything."""
        self._push()
        if self._unsent:
            raise ssl.SSLWantWriteError

    def unwrap(self) -> None:
        """Say goodbye."""
        try:
            self._tls.unwrap()
        finally:
            self._push()

    def shutdown(self, how: int) -> None:
        self.socket.shutdown(how)

    def close(self) -> None:
        self.socket.close()

    # -- inside

    def _fill(self) -> None:
        """One piece of what has come, if anything has."""
        try:
            data = self._receive(_PIECE)
        except BlockingIOError:
            return
        if not data:
            self._in.write_eof()
            return
        self._fruitless += len(data)
        if self._fruitless > _MOST_FRUITLESS:
            raise ssl.SSLError("much comes, and no word in it")
        self._in.write(data)

    def _push(self) -> None:
        if self._out.pending:
            self._unsent += self._out.read()
        while self._unsent:
            try:
                sent = self.socket.send(self._unsent)
            except BlockingIOError:
                return
            self._unsent = self._unsent[sent:]
