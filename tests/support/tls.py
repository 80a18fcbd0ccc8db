"""A TLS handshake in memory: both ends step by step, no socket, no thread."""

import ssl
from dataclasses import dataclass


@dataclass
class End:
    """One end of the connection and the error its handshake ended with."""

    connection: ssl.SSLObject
    outgoing: ssl.MemoryBIO
    incoming: ssl.MemoryBIO
    error: ssl.SSLError | None = None
    done: bool = False

    def step(self) -> None:
        if self.done or self.error:
            return
        try:
            self.connection.do_handshake()
            self.done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.error = error


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None) -> tuple[End, End]:
    """Both ends after the handshake, server first, each with its error if it failed."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_end = End(server.wrap_bio(up, down, server_side=True), down, up)
    client_end = End(client.wrap_bio(down, up, server_hostname=name), up, down)
    for _ in range(6):
        client_end.step()
        server_end.step()
    if client_end.done:
        _exchange(server_end, client_end)
    return server_end, client_end


def _exchange(server: End, client: End) -> None:
    """TLS 1.3 tells the client of a refused certificate only with the first data."""
    if server.done:
        server.connection.write(b"hello")
    try:
        client.connection.read(5)
    except ssl.SSLError as error:
        client.error = error
