"""Floods: half-open connections by the thousand, and bytes that are nothing."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from pbx.transport.flow import Ending
from tests.support.sip_server import Phone, SipServer, options

Connect = Callable[..., Awaitable[Phone]]
Serve = Callable[..., SipServer]

CLIENT_HELLO_BEGINS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@contextmanager
def half_open(port: int, count: int, addresses: int) -> Iterator[list[socket.socket]]:
    """Connections from many loopback addresses that begin a handshake and never go on."""
    sockets = []
    try:
        for n in range(count):
            plain = socket.socket()
            plain.setblocking(False)
            plain.bind((f"127.0.1.{n % addresses + 1}", 0))
            plain.connect_ex(("127.0.0.1", port))
            sockets.append(plain)
        yield sockets
    finally:
        for plain in sockets:
            plain.close()


def speak(sockets: list[socket.socket]) -> None:
    for plain in sockets:
        try:
            plain.send(CLIENT_HELLO_BEGINS)
        except OSError:
            continue  # refused already


@pytest.mark.slow
async def test_half_open_connections_are_bounded_and_phones_go_on(
    serve: Serve, connect: Connect
) -> None:
    server = serve(max_strangers=400, max_strangers_per_address=50, handshake_seconds=6)
    server.log_in_everybody()
    phone = await connect(server)
    await phone.ask(options("first", method="MESSAGE"))

    with half_open(server.port, 2_000, 20) as sockets:
        await server.until(lambda: server.driver.admission.strangers >= 400)
        speak(sockets)
        for n in range(50):
            assert await phone.ask(options(f"during{n}", method="MESSAGE")) == 200
            assert server.driver.admission.strangers <= 400
        await server.until(lambda: server.count(Ending.HANDSHAKE_LATE) > 300)

    again = await connect(server)
    assert await again.ask(options("after", method="MESSAGE")) == 200


async def test_a_phone_gets_in_while_strangers_hold_every_place(
    serve: Serve, connect: Connect
) -> None:
    server = serve(max_strangers=100, max_strangers_per_address=100, handshake_seconds=60)
    server.log_in_everybody()
    admission = server.driver.admission

    with half_open(server.port, 100, 10):
        await server.until(lambda: admission.strangers == 100)
        now = asyncio.get_running_loop().time
        await server.until(lambda: admission.longest_stranger("127.0.0.1", now()) is not None)
        phone = await connect(server)
        assert await phone.ask(options(method="MESSAGE")) == 200

    assert server.count(Ending.CROWDED_OUT) == 1


async def test_mutated_messages_never_disturb_another_phone(serve: Serve, connect: Connect) -> None:
    server = serve(max_strangers_per_address=1_000)
    chance = random.Random(5061)
    honest = await connect(server)
    print("seed 5061")

    for round_ in range(60):
        hostile = await connect(server)
        message = bytearray(options(str(round_), method="MESSAGE", body=b"x" * 50))
        for _ in range(chance.randrange(1, 12)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        hostile.send(bytes(message) * 3)
        hostile.writer.write_eof() if hostile.writer.can_write_eof() else hostile.writer.close()
        if round_ % 3 == 0:
            assert await honest.ask(options(f"honest{round_}", method="MESSAGE")) == 200

    assert server.count(Ending.FAULT) == 0
