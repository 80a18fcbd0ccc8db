"""The worker's end of the control socket, on the loop of the test."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from media import control
from media.control import LENGTH, AnyReply, Done, Failed, Fault, Hello, Request
from media.errors import AnswerRefused, LegGone, MediaError, MediaFull, Misuse, OfferRefused
from media.link import error_of
from media.values import Fed
from media.worker.loop import Loop
from media.worker.server import MAX_UNSENT, Server, fault_of


class Line:
    """A server, and what it is asked to do."""

    def __init__(self, directory: Path, peer: int) -> None:
        self.loop = Loop()
        self.path = directory / "control.sock"
        self.trouble: Exception | None = None
        self.server = Server(self.loop, self.path, frozenset({peer}), self.act, self.hello)

    def act(self, number: int, verb: control.AnyVerb) -> AnyReply:
        if self.trouble:
            raise self.trouble
        return Done(number)

    def hello(self) -> Hello:
        return Hello(0, "run", 0, 10)

    def connect(self) -> socket.socket:
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        caller.connect(str(self.path))
        caller.settimeout(2)
        self.spin()
        return caller

    def spin(self) -> None:
        self.loop.at(self.loop.now() + 0.02, self.loop.stop)
        self.loop.run()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path, os.getuid())
    yield line
    line.server.close()
    line.loop.close()


def ask(caller: socket.socket, number: int = 1) -> None:
    body = msgspec.msgpack.encode(Request(number, control.Ping()))
    caller.sendall(LENGTH.pack(len(body)) + body)


def hear(caller: socket.socket) -> list[AnyReply]:
    data, found = caller.recv(65_536), []
    while data:
        end = LENGTH.size + LENGTH.unpack_from(data)[0]
        found.append(msgspec.msgpack.decode(data[LENGTH.size : end], type=AnyReply))
        data = data[end:]
    return found


def test_the_socket_is_for_its_group_and_gone_at_the_end(line: Line) -> None:
    assert line.path.stat().st_mode & 0o777 == 0o660


def test_a_greeting_comes_first_and_then_replies_in_order(line: Line) -> None:
    with line.connect() as caller:
        assert hear(caller) == [Hello(0, "run", 0, 10)]
        ask(caller, 1)
        ask(caller, 2)
        line.spin()
        assert hear(caller) == [Done(1), Done(2)]


def test_a_request_may_come_in_pieces(line: Line) -> None:
    with line.connect() as caller:
        hear(caller)
        body = msgspec.msgpack.encode(Request(7, control.Ping()))
        for octet in LENGTH.pack(len(body)) + body:
            caller.send(bytes([octet]))
            line.spin()
        assert hear(caller) == [Done(7)]


def test_events_are_told_to_whoever_listens_and_to_nobody_else(line: Line) -> None:
    line.server.tell(Fed("0.1"))
    with line.connect() as caller:
        line.server.tell(Fed("0.2"))
        assert hear(caller)[1:] == [Fed("0.2")]


def test_the_newest_exchange_takes_the_place_of_the_last(line: Line) -> None:
    with line.connect() as first, line.connect() as second:
        hear(first)
        assert first.recv(10) == b""
        assert hear(second)


def test_another_account_is_turned_away(tmp_path: Path) -> None:
    line = Line(tmp_path, os.getuid() + 1)
    with line.connect() as caller:
        assert caller.recv(10) == b""
    line.server.close()
    line.loop.close()


def test_a_failure_of_ours_costs_the_request_and_not_the_worker(line: Line) -> None:
    with line.connect() as caller:
        hear(caller)
        line.trouble = ZeroDivisionError("with a secret")
        ask(caller)
        line.spin()
        (reply,) = hear(caller)
        assert isinstance(reply, Failed)
        assert "secret" not in reply.fault.reason
        line.trouble = None
        ask(caller, 2)
        line.spin()
        assert hear(caller) == [Done(2)]


def test_an_exchange_that_does_not_read_is_left(line: Line) -> None:
    with line.connect() as caller:
        for _ in range(2 * MAX_UNSENT // 100):
            line.server.tell(Fed("0." + "1" * 100))
        line.spin()
        caller.setblocking(False)
        heard = 0
        while data := caller.recv(1 << 20):
            heard += len(data)
        assert heard < MAX_UNSENT


def test_what_could_not_be_sent_at_once_is_sent_when_it_can_be(line: Line) -> None:
    with line.connect() as caller:
        for _ in range(20_000):
            line.server.tell(Fed("0." + "1" * 60))
        heard = b""
        for _ in range(100):
            line.spin()
            caller.setblocking(False)
            try:
                heard += caller.recv(1 << 22)
            except BlockingIOError:
                break
        assert heard.count(b"fed") == 20_000


@pytest.mark.parametrize(
    "error",
    [
        OfferRefused("no keys", 488, 302),
        AnswerRefused("not offered", 488, 399),
        LegGone("gone"),
        MediaFull("full"),
        Misuse("misuse"),
    ],
)
def test_an_error_arrives_as_what_it_was(error: MediaError) -> None:
    arrived = error_of(fault_of(error))

    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    if isinstance(error, OfferRefused):
        assert isinstance(arrived, OfferRefused)
        assert (arrived.status, arrived.warning) == (488, 302)
    assert isinstance(fault_of(error), Fault)
