"""The hot path on real sockets: one leg's packets in, another leg's stream out."""

import secrets
import socket
import struct
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from media.sdp.crypto_attribute import AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80
from media.worker.endpoint import Endpoint
from media.worker.path import DROP, EVENT, NOTHING, SPECIAL, TAP, Path
from media.worker.srtp import MAX_SOURCES, Context, Packet
from media.worker.stream import Stream
from tests.support.rtp_phone import HEADER, RtpPhone, context

CM, GCM = AES_CM_128_HMAC_SHA1_80, AEAD_AES_256_GCM
PLAIN = list(range(256))


class World:
    """A phone that sends, our leg that receives, a stream, and a phone that hears it."""

    def __init__(self) -> None:
        self.time = 100.0
        self.handlers: dict[int, Callable[[], None]] = {}
        self.packet = Packet()
        self.sender = RtpPhone(CM.name)
        self.hearer = RtpPhone(GCM.name)
        self.endpoint = Endpoint(_bound())
        self.out = Endpoint(_bound())
        self.path = Path(self.endpoint, self.packet, lambda: self.time, self.handlers)
        self.path.key(Context(CM, self.sender.key, inbound=True))
        self.stream = Stream(self.out, self.packet, self.time)
        key = secrets.token_bytes(GCM.master_length)
        self.stream.key(Context(GCM, key, inbound=False))
        self.hearer.inbound = context(GCM.name, key, inbound=True)
        self.out.aim(self.hearer.rtp.getsockname())
        self.sender.there = self.endpoint.socket.getsockname()
        self.path.lead(self.stream, PLAIN)

    def turn(self) -> None:
        """The loop finds our socket readable."""
        self.handlers[self.endpoint.socket.fileno()]()

    def pass_on(self, seconds: float = 0.02, payload_type: int = 0) -> None:
        """One packet of the phone, through us."""
        self.time += seconds
        self.sender.send(payload_type=payload_type)
        self.turn()

    def throw(self, wire: bytes) -> None:
        """Any octets, through us."""
        self.sender.throw(wire)
        self.turn()

    def close(self) -> None:
        self.path.close()
        self.out.close()
        self.sender.close()
        self.hearer.close()


def _bound() -> socket.socket:
    """On a port bound by number, as a worker's are: only such a port outlives a disconnect."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        place = probe.getsockname()
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(place)
    return opened


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def test_a_packet_goes_on_under_our_own_source_and_another_key(world: World) -> None:
    world.pass_on()

    (heard,) = world.hearer.take()
    assert heard.ssrc == world.stream.ssrc != world.sender.ssrc
    assert heard.payload == b"\xff" * 160
    assert heard.marker  # a talk spurt begins
    assert world.path.received == 1
    assert world.stream.packets == 1


def test_sequence_and_timestamp_go_on_in_step_with_the_phones(world: World) -> None:
    for _ in range(5):
        world.pass_on()

    heard = world.hearer.take()
    assert [(h.sequence - heard[0].sequence) & 0xFFFF for h in heard] == [0, 1, 2, 3, 4]
    assert [(h.timestamp - heard[0].timestamp) & 0xFFFFFFFF for h in heard] == [
        0,
        160,
        320,
        480,
        640,
    ]


def test_the_first_authenticated_packet_latches_and_then_the_kernel_drops_strangers(
    world: World,
) -> None:
    told = []
    world.path.latched = lambda: told.append(True)
    world.pass_on()
    assert world.endpoint.is_latched
    assert told == [True]

    with _bound() as stranger:
        stranger.sendto(b"\x80" * 100, world.endpoint.socket.getsockname())
    world.turn()  # nothing is there to be read

    assert world.path.received == 1
    assert world.path.junk == world.path.unauthenticated == 0


def test_a_packet_from_anywhere_that_does_not_authenticate_does_not_latch(world: World) -> None:
    stranger = context(CM.name, bytes(30), inbound=False)
    world.throw(stranger.protect(HEADER.pack(0x80, 0, 1, 1, 1) + bytes(160)))

    assert not world.endpoint.is_latched
    assert world.path.unauthenticated == 1
    assert world.hearer.take() == []


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x80", b"\x00\x01\x00\x00" + bytes(16), b"\x16\xfe\xff" + bytes(30), b"\xff" * 40],
    ids=["empty", "one octet", "STUN", "DTLS", "noise"],
)
def test_what_is_not_media_is_junk(world: World, octets: bytes) -> None:
    world.throw(octets)

    assert (world.path.junk, world.path.unauthenticated) == (1, 0)


def test_nine_thousand_octets_do_no_harm(world: World) -> None:
    world.throw(b"\x80" * 9000)
    world.pass_on()

    assert world.path.unauthenticated == 1
    assert len(world.hearer.take()) == 1


def test_a_replayed_packet_is_counted_and_goes_nowhere(world: World) -> None:
    wire = world.sender.send()
    world.turn()
    world.throw(wire)

    assert world.path.replayed == 1
    assert len(world.hearer.take()) == 1


def test_without_a_key_media_is_too_early_and_the_rest_is_junk(world: World) -> None:
    world.path.key(None)
    world.pass_on()
    world.throw(b"\x16 DTLS that nobody agreed to")
    world.throw(b"")
    world.turn()  # and an empty socket is no trouble

    assert (world.path.early, world.path.junk, world.path.received) == (1, 2, 0)
    assert world.hearer.take() == []


def test_what_is_not_media_is_handed_on_before_during_and_after_the_search(world: World) -> None:
    """RFC 7983. Media of the same leg is not disturbed by it, nor taken for it."""
    handed: list[tuple[bytes, object]] = []
    world.path.key(None)
    world.path.divert(lambda datagram, address: handed.append((datagram, address)))
    source = world.sender.rtp.getsockname()
    record, binding = b"\x16\xfe\xfd record", b"\x00\x01 binding"

    world.throw(record)
    world.pass_on()
    world.path.key(Context(CM, world.sender.key, inbound=True))
    world.throw(binding)
    world.pass_on()
    world.throw(record)
    world.throw(b"")
    world.pass_on()
    world.turn()  # an empty socket

    assert handed == [(record, source), (binding, source), (record, source)]
    assert (world.path.early, world.path.received, world.path.junk) == (1, 2, 1)
    assert len(world.hearer.take()) == 2


def test_a_latched_path_that_is_diverted_goes_on(world: World) -> None:
    handed: list[bytes] = []
    world.pass_on()
    world.path.divert(lambda datagram, _: handed.append(datagram))
    world.pass_on()
    world.throw(b"\x16 record")
    world.endpoint.destination = None
    world.throw(b"\x16 another")

    assert (handed, world.path.received) == ([b"\x16 record", b"\x16 another"], 2)
    assert world.endpoint.is_latched


def test_what_was_handed_on_in_vain_is_junk(world: World) -> None:
    world.path.divert(lambda *_: world.path.count_junk())
    world.throw(b"\x16 record")
    assert (world.path.junk, world.path.received) == (1, 0)


def test_a_closed_path_hands_nothing_on(world: World) -> None:
    handed: list[bytes] = []
    world.path.divert(lambda datagram, _: handed.append(datagram))
    world.pass_on()
    world.sender.throw(b"\x16 record")
    relay = world.handlers[world.endpoint.socket.fileno()]
    world.path._other = None
    relay()

    assert (handed, world.path.junk) == ([], 1)


def test_a_refusal_by_icmp_is_counted_among_others_too(world: World) -> None:
    world.path.divert(lambda *_: None)
    world.pass_on()
    world.sender.rtp.close()
    world.endpoint.send(b"\0" * 20)
    world.turn()

    assert world.endpoint.unreachable == 1
    world.sender.rtp = _bound()


def test_after_reopening_the_phone_is_found_at_its_new_port(world: World) -> None:
    world.pass_on()
    world.path.reopen()
    assert not world.endpoint.is_latched
    world.sender.move()
    world.pass_on()

    assert world.endpoint.is_latched
    assert world.endpoint.relatches == 1
    assert world.endpoint.destination == world.sender.rtp.getsockname()
    world.path.reopen()
    world.turn()  # searching with nothing there


def test_the_roll_over_of_the_sequence_is_survived_on_both_sides(world: World) -> None:
    world.sender.sequence = 65_500
    for _ in range(100):
        world.pass_on()
    heard = world.hearer.take()

    assert len(heard) == 100
    assert world.path.expected == 100
    steps = {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(heard)}
    assert steps == {1}


def test_our_own_sequence_rolls_over_too(world: World) -> None:
    for _ in range(70):  # steps within MAX_DROPOUT, through more than 65,536 numbers
        world.sender.sequence = (world.sender.sequence + 1000) & 0xFFFF
        world.pass_on()

    assert len(world.hearer.take()) == 70
    assert world.stream.failed == 0


def test_lost_packets_leave_a_gap_and_are_counted(world: World) -> None:
    world.pass_on()
    world.sender.sequence += 3
    world.pass_on()

    first, second = world.hearer.take()
    assert (second.sequence - first.sequence) & 0xFFFF == 4
    assert world.path.expected - world.path.received == 3


def test_a_late_packet_is_passed_on_in_its_place(world: World) -> None:
    wires = [world.sender.outbound.protect(world.sender.packet(bytes([n]) * 160)) for n in range(4)]
    for number in (0, 2, 1, 3):
        world.throw(wires[number])

    heard = world.hearer.take()
    assert [(h.sequence - heard[0].sequence) & 0xFFFF for h in heard] == [0, 2, 1, 3]
    assert world.path.expected == world.path.received == 4


def test_a_phone_whose_numbers_begin_anew_is_followed_without_a_step(world: World) -> None:
    world.pass_on()
    world.sender.sequence += 20_000
    world.sender.timestamp += 999_999
    world.pass_on()
    world.sender.ssrc = 99
    world.sender.sequence = 5
    world.pass_on()

    heard = world.hearer.take()
    assert [(h.sequence - heard[0].sequence) & 0xFFFF for h in heard] == [0, 1, 2]
    assert {h.ssrc for h in heard} == {world.stream.ssrc}
    assert [(h.timestamp - heard[0].timestamp) & 0xFFFFFFFF for h in heard] == [0, 160, 320]
    assert world.path.expected == 3


def test_a_late_packet_just_after_a_join_begins_there(world: World) -> None:
    wires = [world.sender.outbound.protect(world.sender.packet(bytes(160))) for _ in range(3)]
    world.throw(wires[0])
    world.throw(wires[2])
    world.path.lead(world.stream, PLAIN)
    world.throw(wires[1])

    heard = world.hearer.take()
    assert [(h.sequence - heard[0].sequence) & 0xFFFF for h in heard] == [0, 2, 3]


def test_a_phone_cannot_use_any_number_of_sources(world: World) -> None:
    for ssrc in range(MAX_SOURCES + 2):
        world.sender.ssrc = ssrc
        world.pass_on()

    world.turn()

    assert world.path.received == MAX_SOURCES + 1
    assert (world.path.junk, world.path.early) == (1, 1)
    assert world.path.context is None


def test_a_key_that_comes_back_allows_no_more_sources(world: World) -> None:
    key = world.path.context
    for ssrc in range(MAX_SOURCES):
        world.sender.ssrc = ssrc
        world.pass_on()
    assert world.path.context is key
    for ssrc, is_taken in ((0, True), (MAX_SOURCES, False), (1, True), (MAX_SOURCES + 1, False)):
        world.path.key(key)
        world.sender.ssrc = ssrc
        world.pass_on()
        assert (world.path.context is key) is is_taken


def test_a_stream_goes_on_where_it_was_when_somebody_else_feeds_it(world: World) -> None:
    for _ in range(3):
        world.pass_on()
    world.path.lead(None, NOTHING)
    world.time += 1.0
    world.stream.play(0, b"\xd5" * 160, world.time, ticks=0)
    world.path.lead(world.stream, PLAIN)
    world.pass_on()

    heard = world.hearer.take()
    assert [(h.sequence - heard[0].sequence) & 0xFFFF for h in heard] == [0, 1, 2, 3, 4]
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(heard)]
    assert steps[:2] == [160, 160]
    assert steps[2] == pytest.approx(8000, abs=2)  # a second of nothing
    assert heard[3].marker and heard[4].marker


def test_a_stream_that_another_already_feeds_is_left_to_it(world: World) -> None:
    world.pass_on()
    world.stream.fed_by(None)
    world.path.lead(None, NOTHING)
    world.path.lead(None, NOTHING)
    world.pass_on()
    world.sender.ssrc += 1
    world.pass_on()

    assert len(world.hearer.take()) == 1


def test_a_leg_that_leads_nowhere_is_heard_by_nobody_but_counted(world: World) -> None:
    world.path.lead(None, NOTHING)
    world.pass_on()

    assert (world.path.received, world.path.unmapped) == (1, 0)
    assert world.hearer.take() == []


def test_a_stream_without_permission_to_send_gets_nothing(world: World) -> None:
    assert world.stream.context is not None
    world.stream.key(world.stream.context, may_send=False)
    world.pass_on()
    world.stream.play(0, b"", world.time, ticks=160)

    assert world.hearer.take() == []
    assert world.path.received == 1


def test_payload_types_are_translated_and_others_dropped(world: World) -> None:
    table = list(NOTHING)
    table[0], table[0x80] = 8, 0x88
    world.path.lead(world.stream, table)
    world.pass_on(payload_type=0)
    world.pass_on(payload_type=18)

    assert [h.payload_type for h in world.hearer.take()] == [8]
    assert world.path.unmapped == 1


@pytest.mark.parametrize(
    ("passes", "mapped", "heard"), [(True, True, 1), (False, True, 0), (True, False, 0)]
)
def test_key_presses_are_looked_at_and_may_go_on(
    world: World, passes: bool, mapped: bool, heard: int
) -> None:
    seen = []

    def receive(timestamp: int, payload: bytes) -> bool:
        seen.append(payload)
        return passes

    table = list(PLAIN)
    table[101] = SPECIAL | EVENT | (120 if mapped else DROP)
    table[0x80 | 101] = table[101]
    world.path.receive_event = receive
    world.path.lead(world.stream, table)
    world.sender.send(struct.pack("!BBH", 5, 10, 160), 101)
    world.turn()

    assert seen == [struct.pack("!BBH", 5, 10, 160)]
    assert [h.payload_type for h in world.hearer.take()] == [120] * heard
    assert world.path.unmapped == 0


def test_key_presses_go_on_when_nobody_asks_for_them(world: World) -> None:
    table = list(PLAIN)
    table[0x80 | 101] = table[101] = SPECIAL | EVENT | 101
    world.path.lead(world.stream, table)
    world.sender.send(b"\5\x0a\0\xa0", 101)
    world.turn()

    assert len(world.hearer.take()) == 1


def _send_raw(world: World, plain: bytes) -> None:
    world.throw(world.sender.outbound.protect(plain))


def test_contributing_sources_and_extensions_stay_behind(world: World) -> None:
    both = HEADER.pack(0x92, 0, 1, 160, 7) + bytes(8) + b"\xbe\xde\0\1" + bytes(4) + b"voice"
    _send_raw(world, both)
    _send_raw(world, HEADER.pack(0xA0, 0, 2, 320, 7) + b"padded\0\2")

    assert world.hearer.inbound is not None
    wires = [world.hearer.rtp.recv(2048) for _ in range(2)]
    plain = [world.hearer.inbound.unprotect(wire) for wire in wires]
    assert plain[0][0] == 0x80 and plain[0][12:] == b"voice"
    assert plain[1][0] == 0xA0 and plain[1][12:] == b"padded\0\2"


@pytest.mark.parametrize(
    "plain",
    [
        HEADER.pack(0x40, 0, 1, 160, 7) + bytes(160),
        HEADER.pack(0x8F, 0, 1, 160, 7) + bytes(60) + b"",
    ],
    ids=["version 1", "sources only"],
)
def test_a_strange_header_that_authenticates_is_no_trouble(world: World, plain: bytes) -> None:
    _send_raw(world, plain)
    world.pass_on()

    assert world.path.received >= 1


def test_rtcp_on_a_shared_port_goes_its_own_way(world: World) -> None:
    sizes = []
    world.path.control = sizes.append
    world.throw(b"\x80\xc8" + bytes(30))
    world.throw(b"\x80")
    world.pass_on()

    assert sizes == [32]
    assert len(world.hearer.take()) == 1


def test_a_hearer_whose_port_is_closed_is_counted_and_not_fatal(world: World) -> None:
    world.pass_on()
    world.out.latch(world.hearer.rtp.getsockname())
    world.hearer.rtp.close()
    for _ in range(3):
        world.pass_on()

    assert world.out.unreachable >= 1
    assert world.path.received == 4
    world.hearer.rtp = _bound()


def test_a_phone_whose_port_is_closed_is_counted_and_not_fatal(world: World) -> None:
    world.pass_on()
    world.sender.rtp.close()
    world.endpoint.transmit(memoryview(b"anything"))
    world.turn()
    world.sender.rtp = _bound()

    assert world.endpoint.unreachable == 1


def test_what_libsrtp_refuses_to_send_is_counted(world: World) -> None:
    world.pass_on()
    wire = HEADER.pack(0x80, 0, (world.sender.sequence - 1) & 0xFFFF, 0, 77) + bytes(160)
    _send_raw(world, wire)  # a new source ...
    world.path._sequence_offset -= 1  # ... that would fall back onto a used number
    world.sender.ssrc = 77
    _send_raw(world, HEADER.pack(0x80, 0, world.sender.sequence, 160, 77) + bytes(160))

    assert world.stream.failed == 1


def test_jitter_is_what_arrival_adds_to_the_phones_own_pace(world: World) -> None:
    for _ in range(200):
        world.pass_on(0.02)
    assert world.path.jitter < 1
    for number in range(400):
        world.pass_on(0.03 if number % 2 else 0.01)
    assert world.path.jitter == pytest.approx(80, rel=0.1)  # 10 ms at 8 kHz

    world.sender.timestamp += 1 << 30
    world.pass_on()
    assert world.path.jitter == pytest.approx(80, rel=0.2)  # a new time base is no jitter


def test_a_new_key_needs_no_new_leg(world: World) -> None:
    world.pass_on()
    world.sender.key = secrets.token_bytes(30)
    world.sender.outbound = context(CM.name, world.sender.key, inbound=False)
    world.path.key(Context(CM, world.sender.key, inbound=True))
    world.pass_on()

    assert world.path.received == 2
    assert len(world.hearer.take()) == 2


def test_position_is_unknown_until_something_was_sent(world: World) -> None:
    assert world.path.position() is None
    world.pass_on()
    assert world.path.position() == world.stream.position()


def test_tapped_voice_is_listened_to_and_goes_no_further(world: World) -> None:
    heard: list[tuple[int, int, bytes]] = []
    table = list(PLAIN)
    table[0] = table[0x80] = SPECIAL | DROP | TAP | 0
    world.path.lead(None, table)
    world.sender.send(b"unheard" * 20)
    world.turn()
    world.path.receive_voice = lambda number, at, voice: heard.append((number, at, bytes(voice)))

    at = world.sender.timestamp
    world.sender.send(b"heard" * 20)
    world.turn()

    assert heard == [(0, at, b"heard" * 20)]
    assert world.path.unmapped == 0
    assert world.hearer.take() == []
