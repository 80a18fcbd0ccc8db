"""Connections that we make, to trunks: one flow for each peer, used in both directions (RFC 5923).

The certificate must carry the very name that was asked for (RFC 5922 §7.3, no wildcards); a name
that DNS brought in on the way does not count.
"""

import asyncio
import socket
import ssl
from dataclasses import dataclass

from cryptography import x509

from certs.diagnose import Cause, cause_of
from certs.names import ServerNames, host_name, ip_address
from pbx.transport.channel import Channel
from pbx.transport.errors import LocalError, PeerError
from pbx.transport.listener import keep_alive
from pbx.transport.resolver import Resolver, Target

_PATIENCE = 5.0  # seconds for each target, TCP and TLS together


@dataclass(frozen=True, slots=True)
class Peer:
    """A trunk's other side, as configured."""

    host: str
    port: int | None = None


class Connector:
    """Resolves, connects, checks the name; hands over a connected, non-blocking socket."""

    def __init__(self, resolver: Resolver, context: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._context = context

    async def connect(self, peer: Peer) -> Channel:
        """The first target that answers with the right certificate; else why the last did not."""
        failure = LocalError("No target of the peer can be reached.")
        for target in await self._resolver.targets(peer.host, peer.port):
            try:
                async with asyncio.timeout(_PATIENCE):
                    return await self._try(target, peer.host)
            except TimeoutError:
                failure = LocalError("The peer did not answer in time.")
            except ssl.SSLError as error:
                # A wrong certificate at one address is no reason to trust the next one less.
                failure = LocalError(f"The peer's TLS failed: {cause_of(error)}")
            except PeerError as error:
                failure = LocalError(str(error))
            except OSError as error:
                reason = (error.strerror or "unreachable").lower()
                failure = LocalError(f"The peer cannot be reached: {reason}.")
        raise failure

    async def _try(self, target: Target, host: str) -> Channel:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
        plain = socket.socket(family)
        try:
            plain.setblocking(False)
            keep_alive(plain)
            await loop.sock_connect(plain, (target.address, target.port))
            connection = Channel(plain, self._context, host)
        except BaseException:
            plain.close()
            raise
        try:
            await _handshake(connection)
            check_name(connection, host)
        except BaseException:
            connection.close()
            raise
        return connection


def check_name(connection: Channel, host: str) -> None:
    """OpenSSL has checked the name its way, which lets wildcards pass; SIP does not."""
    presented = connection.certificate()
    names = ServerNames.of(x509.load_der_x509_certificate(presented)) if presented else None
    if names is None or not _carries(names, host):
        raise PeerError(Cause.WRONG_NAME)


def _carries(names: ServerNames, host: str) -> bool:
    try:
        return ip_address(host.strip("[]")) in names.addresses
    except ValueError:
        return host_name(host) in names.hosts


async def _handshake(connection: Channel) -> None:
    while True:
        try:
            connection.do_handshake()
            return
        except ssl.SSLWantReadError:
            await _ready(connection, writing=False)
        except ssl.SSLWantWriteError:
            await _ready(connection, writing=True)


async def _ready(connection: Channel, *, writing: bool) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    add = loop.add_writer if writing else loop.add_reader
    remove = loop.remove_writer if writing else loop.remove_reader
    descriptor = connection.fileno()
    add(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        remove(descriptor)
