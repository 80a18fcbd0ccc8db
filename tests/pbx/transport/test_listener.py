"""Listeners under stress: no descriptors left, connections gone before they are served."""

import asyncio
import resource
import socket
import struct
from collections.abc import Awaitable, Callable

from pbx.transport.flow import Ending
from tests.support.sip_server import Phone, SipServer, options

Connect = Callable[..., Awaitable[Phone]]


async def test_without_descriptors_the_listener_waits_and_comes_back(
    server: SipServer, connect: Connect
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    waiting = [socket.socket() for _ in range(4)]
    for plain in waiting:
        plain.setblocking(False)
    probe = socket.socket()
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno() + 1, hard))
    try:
        for plain in waiting:
            plain.connect_ex(("127.0.0.1", server.port))
        for _ in range(20):
            await asyncio.sleep(0)
        served = len(server.driver.snapshot())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        probe.close()

    assert served == 0
    await server.until(lambda: len(server.driver.snapshot()) == 4)
    phone = await connect(server)
    assert await phone.ask(options(method="MESSAGE")) == 200
    for plain in waiting:
        plain.close()
    await server.until(lambda: len(server.driver.snapshot()) == 1)


async def test_connections_reset_before_they_are_served_cost_nothing(
    server: SipServer, connect: Connect
) -> None:
    for _ in range(50):
        plain = socket.create_connection(("127.0.0.1", server.port))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        plain.close()

    phone = await connect(server)
    assert await phone.ask(options(method="MESSAGE")) == 200
    await server.until(lambda: server.driver.admission.total == 1)


async def test_a_peer_that_resets_is_forgotten(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))
    plain = phone.writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    phone.writer.transport.abort()

    await server.until(lambda: server.driver.snapshot() == [])
    assert server.count(Ending.BROKEN) + server.count(Ending.PEER_LEFT) == 1


async def test_writing_to_a_peer_that_has_reset_ends_the_flow_alone(
    server: SipServer, connect: Connect
) -> None:
    phone, other = await connect(server), await connect(server)
    await phone.ask(options("1", method="MESSAGE"))
    flow = next(iter(server.driver.flows.values()))
    plain = phone.writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    phone.writer.transport.abort()

    for _ in range(3):
        flow.write(b"x" * 10_000)  # the reset is seen by the first or the second
    await server.until(lambda: flow.id not in server.driver.flows)

    assert await other.ask(options("2", method="MESSAGE")) == 200


async def test_a_certificate_without_an_identity_is_not_let_in(
    server: SipServer, connect: Connect
) -> None:
    from certs.contexts import client_context
    from certs.issue import certificate_pem, common_name, key_pem, new_key, sign
    from certs.profiles import DEVICE

    issuer, key = server.authority.issuer(), new_key(DEVICE)
    nameless = sign(DEVICE, common_name("x"), key.public_key(), issuer, server.authority.now())
    path = server.authority.stock.directory.parent / "nameless.pem"
    chain = certificate_pem(nameless) + certificate_pem(issuer.certificate)
    path.write_bytes(key_pem(key) + chain)
    context = client_context(server.authority.stock.root, path)

    phone = await connect(server, port=server.certificate_port, context=context)

    assert await phone.rest() == b""
    assert server.count(Ending.NO_IDENTITY) == 1
    assert server.events == []
