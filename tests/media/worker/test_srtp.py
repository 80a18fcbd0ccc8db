"""Our use of libsrtp, against pylibsrtp's public API as the other end."""

import secrets

import pytest
from pylibsrtp import Error

from media.sdp.crypto_attribute import AES_CM_128_HMAC_SHA1_80, SUITES, Suite
from media.worker.srtp import MAX_SOURCES, OK, REPLAYED, Context, Packet, protect, unprotect
from tests.support.rtp_phone import HEADER, context

REPORT = bytes.fromhex("80c90001") + b"\1\2\3\4"


def rtp(sequence: int, ssrc: int = 7) -> bytes:
    return HEADER.pack(0x80, 0, sequence, sequence * 160, ssrc) + b"\xd5" * 160


def put(packet: Packet, octets: bytes) -> None:
    packet.view[: len(octets)] = octets
    packet.length[0] = len(octets)


@pytest.mark.parametrize("suite", SUITES, ids=lambda s: s.name)
def test_what_we_protect_another_libsrtp_user_opens_and_the_reverse(suite: Suite) -> None:
    key, packet = secrets.token_bytes(suite.master_length), Packet()
    ours, theirs = Context(suite, key, inbound=False), context(suite.name, key, inbound=True)

    put(packet, rtp(1))
    assert protect(ours.handle, packet.data, packet.length) == OK
    assert theirs.unprotect(bytes(packet.view[: packet.length[0]])) == rtp(1)

    back = context(suite.name, key, inbound=False).protect(rtp(2))
    put(packet, back)
    inbound = Context(suite, key, inbound=True)
    assert unprotect(inbound.handle, packet.data, packet.length) == OK
    assert bytes(packet.view[: packet.length[0]]) == rtp(2)


@pytest.mark.parametrize("suite", SUITES, ids=lambda s: s.name)
def test_reports_are_sealed_and_opened(suite: Suite) -> None:
    key, packet = secrets.token_bytes(suite.master_length), Packet()

    sealed = Context(suite, key, inbound=False).protect_rtcp(packet, REPORT)

    assert sealed is not None
    wire = bytes(sealed)
    assert REPORT[4:] not in wire or len(wire) > len(REPORT)
    packet.view[: len(wire)] = wire
    assert Context(suite, key, inbound=True).unprotect_rtcp(packet, len(wire)) == REPORT
    assert context(suite.name, key, inbound=True).unprotect_rtcp(wire) == REPORT


def test_a_report_under_another_key_or_too_short_to_be_one_is_refused() -> None:
    suite, packet = AES_CM_128_HMAC_SHA1_80, Packet()
    inbound = Context(suite, bytes(30), inbound=True)
    wire = context(suite.name, bytes(range(30)), inbound=False).protect_rtcp(REPORT)
    packet.view[: len(wire)] = wire

    assert inbound.unprotect_rtcp(packet, len(wire)) is None
    assert inbound.unprotect_rtcp(packet, 1) is None
    assert Context(suite, bytes(30), inbound=False).protect_rtcp(packet, b"\x80") is None


def test_a_packet_replayed_or_long_gone_counts_as_replayed() -> None:
    suite, packet = AES_CM_128_HMAC_SHA1_80, Packet()
    outbound = context(suite.name, bytes(30), inbound=False)
    wires = [outbound.protect(rtp(n)) for n in range(300)]
    inbound = Context(suite, bytes(30), inbound=True)

    statuses = []
    for wire in (wires[0], *wires[200:], wires[299], wires[1]):
        put(packet, wire)
        statuses.append(unprotect(inbound.handle, packet.data, packet.length))

    assert statuses[:-2] == [OK] * 101
    assert set(statuses[-2:]) <= REPLAYED


def test_the_longest_datagram_leaves_room_for_its_seal() -> None:
    packet = Packet()
    ours = Context(AES_CM_128_HMAC_SHA1_80, bytes(30), inbound=False)
    put(packet, HEADER.pack(0x80, 0, 1, 1, 1) + bytes(len(packet.space) - HEADER.size))

    assert protect(ours.handle, packet.data, packet.length) == OK
    assert len(packet.space) < packet.length[0] <= len(packet.view)


def test_a_context_knows_its_key_and_a_wrong_length_is_refused() -> None:
    suite = AES_CM_128_HMAC_SHA1_80
    one = Context(suite, bytes(30), inbound=True)

    assert one.is_keyed(suite, bytes(30))
    assert not one.is_keyed(suite, bytes(range(30)))
    assert not one.is_keyed(SUITES[0], bytes(30))
    for length in (0, 29, 31, 44):
        with pytest.raises(ValueError, match="exactly"):
            Context(suite, bytes(length), inbound=True)


def test_each_context_has_the_key_it_was_made_with() -> None:
    suite, packet = AES_CM_128_HMAC_SHA1_80, Packet()
    keys = [secrets.token_bytes(suite.master_length) for _ in range(3)]
    contexts = [Context(suite, bytes(key), inbound=False) for key in keys]

    for key, ours in zip(keys, contexts, strict=True):
        put(packet, rtp(1))
        assert protect(ours.handle, packet.data, packet.length) == OK
        wire = bytes(packet.view[: packet.length[0]])
        for other in keys:
            theirs = context(suite.name, other, inbound=True)
            if other == key:
                assert theirs.unprotect(wire) == rtp(1)
            else:
                with pytest.raises(Error):
                    theirs.unprotect(wire)


def test_the_buffer_forgets_its_last_packet() -> None:
    packet = Packet()
    packet.view[:5] = b"voice"

    packet.wipe()

    assert not any(packet.view)


def test_of_any_number_that_report_under_one_key_some_are_heard() -> None:
    """libsrtp would keep a state for each, and look through all of them."""
    suite, packet = SUITES[0], Packet()
    key = secrets.token_bytes(suite.master_length)
    outbound = context(suite.name, key, inbound=False)
    inbound = Context(suite, key, inbound=True)

    def is_heard(ssrc: int) -> bool:
        wire = outbound.protect_rtcp(REPORT[:4] + ssrc.to_bytes(4, "big"))
        packet.view[: len(wire)] = wire
        return inbound.unprotect_rtcp(packet, len(wire)) is not None

    assert all(is_heard(ssrc) for ssrc in range(MAX_SOURCES))
    assert not is_heard(MAX_SOURCES)
    assert is_heard(0)


def test_as_many_may_speak_under_one_key() -> None:
    inbound = Context(SUITES[0], bytes(SUITES[0].master_length), inbound=True)

    assert all(inbound.takes(ssrc) for ssrc in range(MAX_SOURCES))
    assert not inbound.takes(MAX_SOURCES)
    assert inbound.takes(0)
