"""TLS a piece at a time: what is no word costs its sender the connection, and nobody else."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from certs.contexts import client_context, identities, server_context
from pbx.transport.channel import Channel
from pbx.transport.flow import Ending
from tests.support.sip_server import DOMAIN, Phone, SipServer, options

Connect = Callable[..., Awaitable[Phone]]
COUNT = 20_000
"""Key updates, half a megabyte of them; each costs the exchange about thirty microseconds."""


async def test_who_does_nothing_but_renew_keys_is_broken_off(
    server: SipServer, connect: Connect
) -> None:
    phone = await connect(server)

    renewing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.key_updates", str(server.port), str(COUNT),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    taken, _ = await renewing.communicate()

    assert renewing.returncode == 0
    assert int(taken) < COUNT
    await server.until(lambda: server.count(Ending.BROKEN) == 1)
    assert await phone.ask(options(method="MESSAGE")) == 200


@pytest.fixture
def pair(server: SipServer) -> Iterator[tuple[Channel, Channel]]:
    """A client and a server, their handshake done."""
    one, other = socket.socketpair()
    for plain in (one, other):
        plain.setblocking(False)
    stock = server.authority.stock
    client = Channel(one, client_context(stock.root), DOMAIN)
    ours = Channel(other, server_context(identities(stock)))
    waiting = [client, ours]
    while waiting:
        for channel in list(waiting):
            try:
                channel.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            waiting.remove(channel)
    yield client, ours
    client.close()
    ours.close()


async def test_words_of_several_records_are_heard_together(pair: tuple[Channel, Channel]) -> None:
    client, ours = pair

    assert client.send(b"one ") == 4
    assert client.send(b"two") == 3

    assert ours.recv(16_384) == b"one two"
    with pytest.raises(ssl.SSLWantReadError):
        ours.recv(16_384)


async def test_what_the_socket_does_not_take_goes_later(pair: tuple[Channel, Channel]) -> None:
    client, ours = pair
    said = 0
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            said += client.send(b"x" * 16_384)

    assert client.unsent
    with pytest.raises(ssl.SSLWantWriteError):
        client.flush()
    heard = 0
    while heard < said:
        try:
            heard += len(ours.recv(16_384))
        except ssl.SSLWantReadError:
            with suppress(ssl.SSLWantWriteError):
                client.flush()
    assert not client.unsent


@pytest.mark.parametrize("politely", [True, False])
async def test_the_end_is_told_with_the_last_words(
    pair: tuple[Channel, Channel], politely: bool
) -> None:
    client, ours = pair
    client.send(b"bye")
    if politely:
        with pytest.raises(ssl.SSLWantReadError):
            client.unwrap()
    client.shutdown(socket.SHUT_WR)

    said = ours.recv(16_384)
    while not ours.has_ended:
        said += ours.recv(16_384)

    assert said == b"bye"
    assert ours.recv(16_384) == b""


async def test_what_is_no_tls_is_an_error(pair: tuple[Channel, Channel]) -> None:
    client, ours = pair
    client.socket.send(b"OPTIONS sip:clinic.example SIP/2.0\r\n")

    with pytest.raises(ssl.SSLError):
        ours.recv(16_384)


async def test_a_large_record_is_no_flood(pair: tuple[Channel, Channel]) -> None:
    client, ours = pair
    said = 0
    for _ in range(20):
        said += client.send(b"x" * 16_384)
        heard = b""
        while len(heard) < 16_384:
            try:
                heard += ours.recv(16_384)
            except ssl.SSLWantReadError:
                client.flush()
    assert said == 20 * 16_384


async def test_both_say_who_they_are(pair: tuple[Channel, Channel]) -> None:
    client, ours = pair

    assert client.version() == ours.version() == "TLSv1.3"
    assert client.cipher() == ours.cipher()
    assert client.certificate() is not None
    assert ours.certificate() is None
    assert ours.fileno() == ours.socket.fileno()
    assert ours.getsockname() == client.getpeername()
    assert not ours.has_more
