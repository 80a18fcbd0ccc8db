"""One epoll loop."""

import os
import socket
from collections.abc import Iterator

import pytest

from media.worker.loop import Loop


class Time:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 10.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def loop(time: Time) -> Iterator[Loop]:
    loop = Loop(time)
    yield loop
    loop.close()


def test_what_is_due_is_done_in_order_and_once(loop: Loop, time: Time) -> None:
    done: list[str] = []
    loop.at(12.0, lambda: done.append("later"))
    loop.at(11.0, lambda: done.append("sooner"))
    loop.at(11.0, lambda: done.append("sooner, asked second"))
    loop.expire()
    assert done == []

    time.now = 12.0
    loop.expire()
    loop.expire()

    assert done == ["sooner", "sooner, asked second", "later"]


def test_what_is_cancelled_is_not_done(loop: Loop, time: Time) -> None:
    done: list[str] = []
    loop.at(11.0, lambda: done.append("no")).cancel()
    time.now = 20.0
    loop.expire()

    assert done == []


def test_readable_descriptors_call_their_handlers_until_forgotten(loop: Loop) -> None:
    reader, writer = os.pipe()
    heard: list[bytes] = []

    def read() -> None:
        heard.append(os.read(reader, 10))
        loop.stop()

    loop.watch(reader, read)
    os.write(writer, b"x")
    loop.run()
    loop.forget(reader)
    os.write(writer, b"y")
    loop.at(0.0, loop.stop)
    loop.run()

    assert heard == [b"x"]
    os.close(reader)
    os.close(writer)


def test_who_fails_at_a_packet_ends_nobody_else(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    done: list[str] = []

    def fail() -> None:
        os.read(reader, 1)
        raise KeyError

    loop.watch(reader, fail)
    os.write(writer, b"xy")
    loop.at(0.0, lambda: 1 // 0)
    loop.at(0.0, lambda: done.append("due"))
    loop.at(0.0, loop.stop)
    loop.run()
    assert done == ["due"]

    monkeypatch.setattr("media.worker.loop.MOST_FAILURES", 3)
    os.write(writer, b"x" * 9)
    with pytest.raises(KeyError):
        loop.run()
    os.close(reader)
    os.close(writer)


def test_a_descriptor_forgotten_earlier_in_the_same_turn_is_passed_over(loop: Loop) -> None:
    pipes = [os.pipe() for _ in range(2)]
    called: list[int] = []

    def first_come(own: int) -> None:
        called.append(own)
        for reader, _ in pipes:
            loop.forget(reader)
        loop.stop()

    for reader, writer in pipes:
        loop.watch(reader, lambda own=reader: first_come(own))  # type: ignore[misc]
        os.write(writer, b"x")
    loop.run()

    assert len(called) == 1
    for pair in pipes:
        for end in pair:
            os.close(end)


def test_slow_work_is_done_a_piece_a_turn_between_packets() -> None:
    loop, done = Loop(), []
    reader, writer = socket.socketpair()
    loop.watch(reader.fileno(), lambda: done.append(reader.recv(1)))
    for piece in (b"1", b"2", b"3"):

        def work(piece: bytes = piece) -> None:
            done.append(piece)
            writer.send(b"p")

        loop.later(work)
    loop.at(loop.now() + 0.05, loop.stop)

    loop.run()

    assert done == [b"1", b"p", b"2", b"p", b"3", b"p"]
    loop.close()
    reader.close()
    writer.close()
