"""A SIP server with planted defects, for whoever looks for defects: it answers anybody anything."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from pbx.sip.credentials import Challenge
from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import parse_message

Answer = Callable[[Request], Response]


def lax(certificate: Path, *, ciphers: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
    """TLS as nobody should serve it: from 1.0 on, with every suite."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_ciphers(ciphers)
    # Set through the option bits: the property warns, and warnings are errors here.
    context.options &= ~(ssl.Options.OP_NO_TLSv1 | ssl.Options.OP_NO_TLSv1_1)
    return context


def yes(request: Request) -> Response:
    """200 to everything."""
    return response_to(request, 200, to_tag="weak")


class Gullible:
    """Asks for a log-in and takes any: the same nonce for everybody, proofs as often as said."""

    def __init__(self, *, is_stale: bool = False, algorithm: str = "SHA-256", opens: bool = True):
        self._challenge = Challenge(realm="r", nonce="n", algorithm=algorithm, is_stale=is_stale)
        self._opens = opens

    def __call__(self, request: Request) -> Response:
        if self._opens and "Authorization" in request.headers:
            return yes(request)
        response = response_to(request, 401, to_tag="weak")
        response.headers.add("WWW-Authenticate", str(self._challenge))
        return response


class WeakServer:
    """`with WeakServer(answer, context) as server:` on a port the kernel chose, TCP and UDP."""

    def __init__(self, answer: Answer = yes, context: ssl.SSLContext | None = None) -> None:
        self._answer, self._context = answer, context
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._threads = [threading.Thread(target=work) for work in (self._accept, self._datagrams)]
        self._stopping = False

    def __enter__(self) -> Self:
        for thread in list(self._threads):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"", ("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join(10)
        self._tcp.close()
        self._udp.close()

    def _accept(self) -> None:
        while True:
            peer, _ = self._tcp.accept()
            if self._stopping:
                peer.close()
                return
            peer.settimeout(10)
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        with suppress(OSError):
            if self._context is not None:
                peer = self._context.wrap_socket(peer, server_side=True)
            buffer = b""
            while data := peer.recv(65_536):
                buffer += data
                while (message := _first(buffer)) is not None:
                    buffer = buffer[len(message) :]
                    request = parse_message(message)
                    if isinstance(request, Request) and request.method != "ACK":
                        peer.sendall(self._answer(request).encode())
        peer.close()

    def _datagrams(self) -> None:
        while not self._stopping:
            data, sender = self._udp.recvfrom(65_536)
            if not data:
                continue
            if data[0] >= 0x80:  # RTP
                self._udp.sendto(data, sender)
                continue
            request = parse_message(data)
            assert isinstance(request, Request)
            self._udp.sendto(self._answer(request).encode(), sender)


def _first(buffer: bytes) -> bytes | None:
    head, end, rest = buffer.partition(b"\r\n\r\n")
    if not end:
        return None
    lengths = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    ]
    size = lengths[0] if lengths else 0
    return head + end + rest[:size] if len(rest) >= size else None
