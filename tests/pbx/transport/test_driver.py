"""The driver with a real stack behind it and real TLS in front."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from certs.contexts import client_context, identities, server_context
from certs.diagnose import Cause
from pbx.sip.events import FlowClosed, RequestReceived
from pbx.sip.message import Request
from pbx.transport.flow import Ending, State
from tests.support.sip_server import DOMAIN, Phone, SipServer, new_authority, options

Connect = Callable[..., Awaitable[Phone]]
Serve = Callable[..., SipServer]


async def test_a_request_is_answered_on_its_flow(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)

    status = await phone.ask(options(method="MESSAGE"))

    assert status == 200
    (received,) = (e for e in server.events if isinstance(e, RequestReceived))
    facts = server.stack.facts(received.flow)
    assert facts is not None
    assert (facts.listener, facts.tls_version, facts.via_token) == ("sip", "TLSv1.3", "TLS")
    assert facts.peer == phone.writer.get_extra_info("sockname")
    assert facts.certificate is None


async def test_many_requests_in_one_record_are_all_answered(
    server: SipServer, connect: Connect
) -> None:
    phone = await connect(server)

    phone.send(b"".join(options(str(n), method="MESSAGE") for n in range(20)))
    answers = [await phone.answer() for _ in range(20)]

    assert sorted(int(a.split(b"Call-ID: ")[1].split(b"\r\n")[0]) for a in answers) == [*range(20)]


async def test_a_ping_is_answered_also_byte_by_byte(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)

    phone.send(b"\r\n\r\n")
    assert await phone.reader.readexactly(2) == b"\r\n"
    for byte in b"\r\n\r\n":
        phone.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await phone.reader.readexactly(2) == b"\r\n"
    assert await phone.ask(options(method="MESSAGE")) == 200


async def test_a_message_in_small_pieces_arrives_whole(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)
    whole = options(method="MESSAGE", body=b"x" * 3_000)

    for at in range(0, len(whole), 50):
        phone.send(whole[at : at + 50])
        await phone.writer.drain()

    assert (await phone.answer()).startswith(b"SIP/2.0 200 ")
    (received,) = (e for e in server.events if isinstance(e, RequestReceived))
    assert received.request.body == b"x" * 3_000


async def test_the_stack_hears_of_a_flow_that_closed(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))

    await phone.close()

    await server.until(lambda: any(isinstance(e, FlowClosed) for e in server.events))
    assert server.driver.snapshot() == []
    assert (server.driver.admission.total, server.driver.memory.used) == (0, 0)


async def test_a_fault_of_ours_in_an_event_does_not_stop_the_next(
    server: SipServer, connect: Connect
) -> None:
    phone = await connect(server)
    server.on_event = lambda event: 1 // 0  # type: ignore[assignment, return-value]

    phone.send(options("1", method="MESSAGE"))
    await server.until(lambda: bool(server.events))
    server.on_event = server.answer

    assert await phone.ask(options("2", method="MESSAGE")) == 200


async def test_a_request_of_ours_goes_out_after_a_poke(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))
    (received,) = (e for e in server.events if isinstance(e, RequestReceived))
    request = Request("OPTIONS", "sip:a@192.0.2.1")
    for name, value in (
        ("From", f"<sip:{DOMAIN}>;tag=2"),
        ("To", f"<sip:a@{DOMAIN}>"),
        ("Call-ID", "ours"),
        ("CSeq", "1 OPTIONS"),
        ("Max-Forwards", "70"),
    ):
        request.headers.add(name, value)

    server.stack.request(received.flow, request, asyncio.get_running_loop().time())
    server.driver.poke()
    server.driver.poke()

    assert (await phone.answer()).startswith(b"OPTIONS ")


async def test_the_stack_is_woken_at_its_deadline(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))
    due = server.stack.next_deadline()
    assert due is None or due > asyncio.get_running_loop().time()


# -- hostile peers --------------------------------------------------------------------------------


async def test_random_bytes_are_cut_and_others_are_undisturbed(
    server: SipServer, connect: Connect
) -> None:
    honest, hostile = await connect(server), await connect(server)

    hostile.send(bytes(range(256)) * 100)
    rest = await hostile.rest()

    assert rest == b""
    assert server.count(Ending.MALFORMED) == 1
    assert await honest.ask(options(method="MESSAGE")) == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b"Content-Length: 0\r\n", b""),
        lambda text: text.replace(b"Content-Length: 0", b"Content-Length: 4000000000"),
        lambda text: text.replace(b"Content-Length: 0", b"Content-Length: 999999"),
        lambda text: text.replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 5"),
    ],
    ids=["missing", "huge", "large", "twice"],
)
async def test_a_bad_content_length_is_answered_400_and_the_flow_closed(
    server: SipServer, connect: Connect, spoil: Callable[[bytes], bytes]
) -> None:
    phone = await connect(server)

    phone.send(spoil(options(method="MESSAGE")) + options("2", method="MESSAGE"))
    rest = await phone.rest()

    assert rest.startswith(b"SIP/2.0 400 ")
    assert rest.count(b"SIP/2.0 ") == 1
    assert server.count(Ending.MALFORMED) == 1


async def test_plain_text_on_the_tls_port_is_refused(server: SipServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    writer.write(options())
    answer = await reader.read()

    assert b"SIP" not in answer
    assert server.count(Ending.HANDSHAKE_FAILED) == 1
    assert server.driver.endings.causes[Cause.NOT_TLS] == 1
    writer.close()
    await writer.wait_closed()


async def test_a_half_open_handshake_is_cut_at_its_deadline(serve: Serve) -> None:
    server = serve(handshake_seconds=1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    writer.write(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
    rest = await asyncio.wait_for(reader.read(), 60)

    assert rest == b""
    assert server.count(Ending.HANDSHAKE_LATE) == 1
    writer.close()
    await writer.wait_closed()


async def test_a_flow_that_never_speaks_is_cut(serve: Serve, connect: Connect) -> None:
    server = serve(first_message_seconds=1)
    phone = await connect(server)
    phone.send(b"\r\n\r\n")  # a ping is no message

    assert await phone.rest() == b"\r\n"
    assert server.count(Ending.SILENT) == 1


async def test_a_slow_loris_is_cut_though_it_logged_in(serve: Serve, connect: Connect) -> None:
    server = serve(partial_message_seconds=1)
    server.log_in_everybody()
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))

    async def drip() -> None:
        for byte in options("2", method="MESSAGE"):
            phone.send(bytes([byte]))
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    rest = await phone.rest()
    dripping.cancel()

    assert rest == b""
    assert server.count(Ending.SLOW) == 1


async def test_a_stranger_may_not_stay_or_talk_for_ever(serve: Serve, connect: Connect) -> None:
    server = serve(login_seconds=3, max_messages_before_login=4)
    silent, talker = await connect(server), await connect(server)
    await silent.ask(options(method="MESSAGE"))

    talker.send(b"".join(options(f"t{n}", method="MESSAGE") for n in range(10)))
    answers = await talker.rest()
    await silent.rest()

    assert answers.count(b"SIP/2.0 200") == 4
    assert server.count(Ending.NOT_LOGGED_IN) == 2


async def test_a_phone_that_logged_in_stays(serve: Serve, connect: Connect) -> None:
    server = serve(login_seconds=3, first_message_seconds=3, max_messages_before_login=4)
    server.log_in_everybody()
    phone = await connect(server)
    await phone.ask(options("0", method="MESSAGE"))

    stranger = await connect(server)
    await stranger.rest()  # until a stranger's time is over

    for n in range(10):
        assert await phone.ask(options(f"m{n}", method="MESSAGE")) == 200
    (row,) = server.driver.snapshot()
    assert row.trusted


async def test_a_peer_that_never_reads_is_cut_and_its_memory_freed(
    serve: Serve, connect: Connect
) -> None:
    server = serve(max_unsent_bytes=65_536)
    server.log_in_everybody()
    phone = await connect(server)
    transport = phone.writer.transport
    transport.pause_reading()
    big = "X-Pad: " + "y" * 1_000 + "\r\n"

    n = 0
    while not server.count(Ending.NOT_READING) and n < 20_000:
        n += 1
        branch = options(str(n), extra=f"Via: SIP/2.0/TLS 192.0.2.9;x={'z' * 3000}\r\n{big}")
        phone.send(branch.replace(b"OPTIONS", b"MESSAGE"))
        await asyncio.sleep(0)

    assert server.count(Ending.NOT_READING) == 1
    assert server.driver.memory.used == 0
    assert server.driver.snapshot() == []


async def test_a_peer_that_reads_nothing_is_cut_in_time(serve: Serve, connect: Connect) -> None:
    server = serve(unread_seconds=1)
    server.log_in_everybody()
    phone = await connect(server)
    phone.writer.transport.pause_reading()
    flow = None
    phone.send(options(method="MESSAGE"))
    await server.until(lambda: bool(server.events))
    (received,) = (e for e in server.events if isinstance(e, RequestReceived))
    flow = server.driver.flows[received.flow]

    def is_cut() -> bool:
        while flow.unsent < 200_000 and flow.state is State.OPEN:  # more than the kernel takes
            flow.write(b"x" * 100_000)
        return server.count(Ending.NOT_READING) == 1

    await server.until(is_cut)

    assert server.driver.memory.used == 0


async def test_strangers_of_one_address_are_limited_and_phones_are_not(
    serve: Serve, connect: Connect
) -> None:
    server = serve(max_strangers_per_address=3)
    server.log_in_everybody()

    phones = []
    for n in range(8):
        phones.append(await connect(server))
        assert await phones[-1].ask(options(str(n), method="MESSAGE")) == 200
    strangers = [await connect(server) for _ in range(3)]
    with pytest.raises(OSError):
        await connect(server)

    assert len(server.driver.snapshot()) == len(phones) + len(strangers)


async def test_strangers_cannot_use_up_the_memory_of_phones(serve: Serve, connect: Connect) -> None:
    server = serve(max_buffered_bytes=1_048_576, max_strangers_per_address=100)
    server.log_in_everybody()
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))
    strangers = [await connect(server) for _ in range(10)]

    for stranger in strangers:  # each leaves most of a message behind
        stranger.send(options("s", method="MESSAGE", body=b"x" * 65_536)[:-10])
    await server.until(lambda: server.count(Ending.TOO_MUCH) > 0)

    assert server.driver.memory.used <= 1_048_576 // 2
    assert await phone.ask(options("p", method="MESSAGE", body=b"x" * 60_000)) == 200


# -- certificates -----------------------------------------------------------------------------


def _device(server: SipServer, directory: Path, identity: str) -> tuple[str, ssl.SSLContext]:
    device = server.authority.issue_device(identity)
    path = directory / f"{device.serial}.pem"
    path.write_bytes((device.key_pem or b"") + device.chain_pem)
    return device.serial, client_context(server.authority.stock.root, path)


async def test_a_device_with_our_certificate_is_known_by_its_identity(
    server: SipServer, connect: Connect, tmp_path: Path
) -> None:
    _, context = _device(server, tmp_path, f"sip:1001@{DOMAIN}")
    phone = await connect(server, port=server.certificate_port, context=context)

    assert await phone.ask(options(method="MESSAGE")) == 200

    (received,) = (e for e in server.events if isinstance(e, RequestReceived))
    facts = server.stack.facts(received.flow)
    assert facts is not None
    assert (facts.listener, facts.certificate) == ("certificate", f"sip:1001@{DOMAIN}")


async def test_without_our_certificate_nobody_speaks_on_the_certificate_port(
    server: SipServer, connect: Connect
) -> None:
    phone = await connect(server, port=server.certificate_port)

    phone.send(options(method="MESSAGE"))

    assert await phone.rest() == b""
    assert server.events == []
    assert server.driver.endings.causes[Cause.NO_CERTIFICATE] == 1


async def test_a_new_server_certificate_serves_the_next_connection_and_drops_none(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    server = serve()
    before = await connect(server)
    assert await before.ask(options("1", method="MESSAGE")) == 200
    successor = new_authority(tmp_path / "successor")

    server.listener.replace_context(server_context(identities(successor.stock)))
    after = await connect(server, context=client_context(successor.stock.root))

    assert await after.ask(options("2", method="MESSAGE")) == 200
    assert await before.ask(options("3", method="MESSAGE")) == 200
    certificates = [
        phone.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        for phone in (before, after)
    ]
    assert certificates[0] != certificates[1]


# -- listeners and the end ------------------------------------------------------------------------


async def test_both_address_families_listen_on_one_port(server: SipServer) -> None:
    listener = server.driver.listener("both", server_context(identities(server.authority.stock)))

    listener.open(["127.0.0.1", "::1"], 0)
    (four, six) = listener.endpoints

    assert four[1] == six[1]
    for host in ("127.0.0.1", "::1"):
        _, writer = await asyncio.open_connection(
            host,
            four[1],
            ssl=client_context(server.authority.stock.root),
            server_hostname=DOMAIN,
        )
        writer.close()
        await writer.wait_closed()
    listener.close()


async def test_connections_have_keep_alive_and_the_signalling_class(
    server: SipServer, connect: Connect
) -> None:
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))

    (flow,) = server.driver.flows.values()
    plain = flow.connection.socket

    assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    assert plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert plain.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 24 << 2


async def test_a_port_in_use_is_one_sentence_and_leaves_nothing_open(server: SipServer) -> None:
    listener = server.driver.listener("again", server_context(identities(server.authority.stock)))

    with pytest.raises(Exception, match="cannot be opened: address already in use"):
        listener.open(["127.0.0.1"], server.port)

    assert listener.endpoints == []


async def test_a_closed_listener_keeps_its_flows(server: SipServer, connect: Connect) -> None:
    phone = await connect(server)
    port = server.port

    server.listener.close()

    with pytest.raises(OSError):
        await connect(server, port=port)
    assert await phone.ask(options(method="MESSAGE")) == 200


async def test_stopping_says_goodbye_to_everybody(server: SipServer, connect: Connect) -> None:
    phones = [await connect(server) for _ in range(5)]
    for n, phone in enumerate(phones):
        await phone.ask(options(str(n), method="MESSAGE"))

    ends = [asyncio.create_task(phone.rest()) for phone in phones]
    await server.stop()

    assert [await end for end in ends] == [b""] * 5
    assert server.count(Ending.STOPPING) == 5
    assert server.driver.snapshot() == []


async def test_a_deaf_peer_does_not_keep_us_from_stopping(
    server: SipServer, connect: Connect
) -> None:
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))
    phone.writer.transport.pause_reading()
    (flow,) = server.driver.flows.values()
    while not flow.unsent:
        flow.write(b"x" * 100_000)

    await asyncio.wait_for(server.stop(), 60)

    assert server.driver.snapshot() == []


async def test_a_peer_that_reads_late_gets_every_byte_in_order_also_at_the_end(
    server: SipServer, connect: Connect
) -> None:
    server.log_in_everybody()
    phone = await connect(server)
    await phone.ask(options(method="MESSAGE"))
    phone.writer.transport.pause_reading()
    (flow,) = server.driver.flows.values()
    sent = b""
    while not flow.unsent:
        block = bytes([len(sent) // 100_000 % 256]) * 100_000
        flow.write(block)
        sent += block
    held = server.driver.memory.used

    phone.writer.transport.resume_reading()
    received = await phone.reader.readexactly(len(sent))
    await server.until(lambda: server.driver.memory.used == 0)
    phone.writer.transport.pause_reading()
    while not flow.unsent:
        flow.write(b"z" * 100_000)
    server.driver.close(flow.id)
    phone.writer.transport.resume_reading()
    rest = await phone.rest()

    assert received == sent
    assert held > 0
    assert set(rest) == {ord("z")}
    assert len(rest) % 100_000 == 0
    assert server.count(Ending.WITHDRAWN) == 1
