"""Framing: every cut of a stream gives the same messages; hostile lengths end the stream."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.transport.framing import Framer, Limits


def message(body: bytes = b"", length: str = "Content-Length: %d") -> bytes:
    line = length % len(body) if "%d" in length else length
    return (
        b"OPTIONS sip:a@clinic.example SIP/2.0\r\nVia: x\r\n" + line.encode() + b"\r\n\r\n" + body
    )


BODY = b"v=0\r\n\r\nINVITE sip:b@clinic.example SIP/2.0\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "length",
    [
        "Content-Length: %d",
        "content-length:%d",
        "l: %d",
        "L \t:  %d ",
        "CONTENT-LENGTH :\r\n %d",
        "Content-Length: 00%d",
    ],
)
def test_every_way_of_writing_the_length_frames_the_body(length: str) -> None:
    one = message(BODY, length)

    frames = Framer(Limits()).feed(one + one)

    assert frames.messages == [one, one]
    assert frames.fault is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 600), max_size=12))
def test_any_cutting_gives_the_same_messages_and_pings(cuts: list[int]) -> None:
    stream = message(BODY) + b"\r\n\r\n" + message() + b"\r\n" + message(b"x") + b"\r\n\r\n"
    framer, messages, pings = Framer(Limits()), [], 0

    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    for start, end in pairwise(places):
        frames = framer.feed(stream[start:end])
        messages += frames.messages
        pings += frames.pings
        assert frames.fault is None

    assert messages == [message(BODY), message(), message(b"x")]
    assert pings == 2
    assert framer.buffered == 0


@pytest.mark.parametrize(
    ("head", "rule"),
    [
        ("Max-Forwards: 70", "once"),
        ("Content-Length: 0\r\nContent-Length: 0", "once"),
        ("Content-Length: 0\r\nl: 0", "once"),
        ("Content-Length: -1", "digits"),
        ("Content-Length: 0x10", "digits"),
        ("Content-Length: ", "digits"),
        ("Content-Length: 1 2", "digits"),
        ("Content-Length: ²", "digits"),
        ("Content-Length: 99999999999999999999", "digits"),
        ("Content-Length: 65537", "larger"),
    ],
)
def test_a_length_that_cannot_be_trusted_ends_the_stream_but_leaves_an_answer(
    head: str, rule: str
) -> None:
    broken = message(length=head)

    frames = Framer(Limits()).feed(broken + message())

    assert frames.messages == [broken]
    assert frames.fault is not None
    assert rule in str(frames.fault)


def test_messages_before_the_fault_are_kept() -> None:
    frames = Framer(Limits()).feed(message() + message(length="X: y"))

    assert frames.messages == [message(), message(length="X: y")]
    assert frames.fault is not None


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n",
        b"\0" * 20 + b"\r\n",
        b"A" * 16_385,
        b"OPTIONS sip:a SIP/2.0\r\n" + b"X: " + b"y" * 16_384,
        b"OPTIONS sip:a SIP/2.0\r\nX: " + b"y" * 16_384 + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_no_sip_or_too_long_is_cut_without_an_answer(stream: bytes) -> None:
    frames = Framer(Limits()).feed(stream)

    assert frames.messages == []
    assert frames.fault is not None


def test_the_longest_head_and_body_pass() -> None:
    start = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 65536\r\nX: "
    head = start + b"y" * (16_384 - len(start) - 4) + b"\r\n\r\n"
    whole = head + b"z" * 65_536
    framer, messages = Framer(Limits()), []

    for at in range(0, len(whole), 16_384):
        frames = framer.feed(whole[at : at + 16_384])
        assert frames.fault is None
        messages += frames.messages

    assert messages == [whole]


def test_half_a_ping_is_not_a_message_under_way() -> None:
    framer = Framer(Limits())

    framer.feed(b"\r\n\r")
    amid_ping = framer.is_amid
    pings = framer.feed(b"\n").pings
    framer.feed(b"OPT")

    assert not amid_ping
    assert pings == 1
    assert framer.is_amid


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=200), max_size=30))
def test_no_bytes_whatever_raise_or_pile_up(chunks: list[bytes]) -> None:
    framer = Framer(Limits(head=300, body=300))

    for chunk in chunks:
        if framer.feed(chunk).fault is not None:
            break
        assert framer.buffered <= 1_000
