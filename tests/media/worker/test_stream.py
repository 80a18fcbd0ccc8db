"""One stream a leg hears, and the endpoint it leaves by."""

import errno
import secrets
import socket
from collections.abc import Iterator

import pytest

from media.sdp.crypto_attribute import AES_CM_128_HMAC_SHA1_80
from media.worker.endpoint import Endpoint
from media.worker.srtp import Context, Packet
from media.worker.stream import Stream
from tests.support.rtp_phone import RtpPhone, context

SUITE = AES_CM_128_HMAC_SHA1_80


@pytest.fixture
def phone() -> Iterator[RtpPhone]:
    phone = RtpPhone()
    yield phone
    phone.close()


@pytest.fixture
def endpoint(phone: RtpPhone) -> Iterator[Endpoint]:
    endpoint = Endpoint(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    endpoint.aim(phone.rtp.getsockname())
    yield endpoint
    endpoint.close()


@pytest.fixture
def stream(phone: RtpPhone, endpoint: Endpoint) -> Stream:
    stream = Stream(endpoint, Packet(), 0.0)
    key = secrets.token_bytes(SUITE.master_length)
    phone.inbound = context(SUITE.name, key, inbound=True)
    stream.key(Context(SUITE, key, inbound=False))
    return stream


def test_frames_go_on_by_their_length_and_after_a_pause_by_the_clock(
    stream: Stream, phone: RtpPhone
) -> None:
    stream.play(0, bytes(160), 1.0, ticks=0)
    stream.play(0, bytes(160), 1.02, ticks=160)
    stream.play(0, bytes(160), 3.02, ticks=0)

    one, two, three = phone.take()
    assert (two.timestamp - one.timestamp) & 0xFFFFFFFF == 160
    assert (three.timestamp - two.timestamp) & 0xFFFFFFFF == 16_000
    assert [h.marker for h in (one, two, three)] == [True, False, True]
    assert (three.sequence - one.sequence) & 0xFFFF == 2


def test_the_first_sequence_leaves_no_doubt_about_the_roll_over_counter(endpoint: Endpoint) -> None:
    firsts = [Stream(endpoint, Packet(), 0.0).position()[0] for _ in range(50)]

    assert all(first < 0x8000 for first in firsts)
    assert len(set(firsts)) > 40


def test_without_a_key_nothing_is_sent(endpoint: Endpoint, phone: RtpPhone) -> None:
    Stream(endpoint, Packet(), 0.0).play(0, bytes(160), 1.0, ticks=160)

    assert phone.take() == []


def test_what_libsrtp_refuses_is_counted(stream: Stream, phone: RtpPhone) -> None:
    stream.play(0, bytes(160), 1.0, ticks=160)
    sequence, timestamp, at = stream.position()
    stream.fed_by(lambda: (sequence - 1, timestamp, at))  # a feeder that falls back
    stream.play(0, bytes(160), 1.02, ticks=160)

    assert (stream.packets, stream.failed) == (1, 1)
    assert len(phone.take()) == 1


def test_a_stream_that_leads_nowhere_sends_nothing(phone: RtpPhone) -> None:
    endpoint = Endpoint(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    stream = Stream(endpoint, Packet(), 0.0)
    stream.key(Context(SUITE, bytes(30), inbound=False))
    stream.play(0, bytes(160), 1.0, ticks=160)

    assert stream.packets == 0
    endpoint.close()
    assert not endpoint.transmit(memoryview(b"late"))


def test_a_refusal_by_icmp_is_counted_and_a_full_buffer_is_not(endpoint: Endpoint) -> None:
    endpoint.failed(OSError(errno.ECONNREFUSED, ""))
    endpoint.failed(OSError(errno.EAGAIN, ""))

    assert endpoint.unreachable == 1


def test_sending_to_an_impossible_place_is_counted(endpoint: Endpoint) -> None:
    endpoint.aim(("255.255.255.255", 9))  # broadcast is not allowed on the socket

    assert not endpoint.transmit(memoryview(b"x"))
    endpoint.latch(("255.255.255.255", 9))
    assert not endpoint.is_latched
    assert endpoint.unreachable == 2


def test_once_latched_the_description_no_longer_decides(
    endpoint: Endpoint, phone: RtpPhone
) -> None:
    endpoint.latch(phone.rtp.getsockname())
    endpoint.aim(("127.0.0.1", 9))

    assert endpoint.destination == phone.rtp.getsockname()
    assert endpoint.relatches == 0
