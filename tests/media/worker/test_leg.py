"""Legs from inside, on the loop of the test."""

import gc
import secrets
import socket
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from media import control
from media.errors import AnswerRefused, LegGone, Misuse
from media.values import (
    Digit,
    Ended,
    Fed,
    Latched,
    Manner,
    Player,
    Silence,
    Silent,
    Tone,
    Unmatched,
)
from media.worker.keypad import MOST_KEYS
from media.worker.leg import Leg
from media.worker.path import Path
from media.worker.rtcp import Sent, compound
from media.worker.srtp import Context
from media.worker.stream import Stream
from tests.support.media_inline import Inline
from tests.support.rtp_phone import RtpPhone, context

GCM = "AEAD_AES_256_GCM"


@pytest.fixture
def inline() -> Iterator[Inline]:
    inline = Inline(silence_limit=1.0, hold_limit=1.5, relatch_after=0.2)
    yield inline
    inline.close()


def test_media_is_marked_for_expedited_forwarding(inline: Inline) -> None:
    for host, level, option in (
        ("127.0.0.1", socket.IPPROTO_IP, socket.IP_TOS),
        ("::1", socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    ):
        leg = inline.roster._legs[inline.open(RtpPhone(host=host), call=host)]
        assert leg.path.endpoint.socket.getsockopt(level, option) == 0xB8
        assert leg.control.endpoint.socket.getsockopt(level, option) == 0xB8


def test_the_advertised_address_is_the_mapped_one_or_the_given_or_the_local() -> None:
    inline = Inline(advertise={"127.0.0.1": "203.0.113.9"})
    mapped = inline.open(RtpPhone())
    given = inline.open(RtpPhone(), advertised="198.51.100.7", manner=Manner(feedback=True))
    local = inline.open(RtpPhone(host="::1"))

    for leg, address in ((mapped, "203.0.113.9"), (given, "198.51.100.7"), (local, "::1")):
        assert f" {address}\r\n".encode() in inline.ask(control.MakeOffer(leg)).sdp
    assert b"RTP/SAVPF" in inline.ask(control.MakeOffer(given)).sdp
    inline.close()


def test_a_phone_of_the_other_address_family_is_not_sent_to_early(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.open(phone)
    inline.ask(control.TakeOffer(leg, phone.sdp().replace(b"IP4 127.0.0.1", b"IP6 ::1")))
    inline.ask(control.MakeAnswer(leg))

    assert inline.roster._legs[leg].path.endpoint.destination is None


def test_after_silence_the_socket_is_open_again_and_the_stream_still_flows(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    endpoint = inline.roster._legs[leg].path.endpoint
    assert endpoint.is_latched

    inline.spin_until(lambda: not endpoint.is_latched)
    inline.ask(control.Feed(leg, Player(sounds=(Tone("beep"),))))
    inline.spin_until(lambda: Fed(leg) in inline.told)
    assert len(phone.take()) == 20


def test_silence_is_told_again_after_as_long_again(inline: Inline) -> None:
    leg = inline.alone(RtpPhone())

    inline.spin_until(lambda: sum(isinstance(e, Silent) for e in inline.told) == 2)
    assert {e.leg for e in inline.told} == {leg}


def test_a_leg_on_hold_waits_unconnected_and_for_longer(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    inline.ask(control.TakeOffer(leg, phone.sdp("recvonly")))
    inline.ask(control.MakeAnswer(leg))

    assert not inline.roster._legs[leg].path.endpoint.is_latched
    inline.spin(1.2)
    assert not any(isinstance(e, Silent) for e in inline.told)
    inline.spin_until(lambda: any(isinstance(e, Silent) for e in inline.told))


def test_a_phone_that_we_put_on_hold_need_not_send(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    inline.ask(control.MakeOffer(leg, direction="sendonly"))
    inline.ask(control.TakeAnswer(leg, phone.sdp("recvonly")))
    inline.spin(1.2)

    assert not any(isinstance(e, Silent) for e in inline.told)


def test_rtcp_alone_shows_that_a_phone_is_there(inline: Inline) -> None:
    phone = RtpPhone()
    inline.alone(phone)
    for number in range(6):
        report = compound(phone.ssrc, "phone", time.time(), Sent(number, number, number), ())
        phone.send_report(report)
        inline.spin(0.3)

    assert not any(isinstance(e, Silent) for e in inline.told)


def test_a_re_offer_from_the_same_place_keeps_what_was_learnt(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    phone.move()  # as a NAT does: the packets come from another port than the SDP says
    sdp = phone.sdp()
    phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    endpoint = inline.roster._legs[leg].path.endpoint
    learnt = endpoint.destination

    for body in (sdp, sdp):
        inline.ask(control.TakeOffer(leg, body))
        inline.ask(control.MakeAnswer(leg))
    assert endpoint.destination == learnt == phone.rtp.getsockname()


def test_a_re_offer_from_another_place_is_followed(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    inline.ask(control.Feed(leg, Player(sounds=(Silence(100),), times=0)))
    phone.move()
    inline.ask(control.TakeOffer(leg, phone.sdp()))
    inline.ask(control.MakeAnswer(leg))

    inline.spin_until(phone.take)  # at once, whether it speaks or not


def test_a_re_offer_from_where_no_signalling_comes_from_is_followed_when_the_phone_speaks(
    inline: Inline,
) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    phone.move()
    inline.ask(control.TakeOffer(leg, phone.sdp(address="192.0.2.9")))
    inline.ask(control.MakeAnswer(leg))

    inline.ask(control.Feed(leg, Player(sounds=(Silence(100),), times=0)))
    inline.spin(0.1)
    assert phone.take() == []  # not before it is known to be there
    phone.send()
    inline.spin_until(lambda: inline.stats(leg).relatches == 1)


def test_a_leg_that_is_gone_leaves_nothing_for_a_collector(inline: Inline) -> None:
    def alive() -> int:
        return sum(isinstance(o, Leg | Path | Stream | Context) for o in gc.get_objects())

    gc.collect()
    gc.disable()  # as in a worker
    try:
        before = alive()
        one, other = RtpPhone(), RtpPhone(GCM)
        legs = [inline.alone(one), inline.alone(other)]
        inline.ask(control.Join(*legs))
        one.send()
        inline.spin()
        inline.ask(control.Feed(legs[0], Player(sounds=(Tone("busy"),), times=0)))
        assert alive() == before + 10
        for leg in legs:
            inline.ask(control.Drop((leg,)))
        assert alive() == before
    finally:
        gc.enable()


def test_orphans_are_ended_and_told(inline: Inline) -> None:
    legs = [inline.alone(RtpPhone()) for _ in range(2)]
    inline.roster.end_orphans()

    assert inline.told == [Ended(leg, "orphan") for leg in legs]
    assert len(inline.roster) == 0
    with pytest.raises(LegGone):
        inline.ask(control.Stats(legs[0]))


def test_digits_are_decoded_at_the_clock_of_the_phones_events(inline: Inline) -> None:
    phone = RtpPhone(formats=((0, "PCMU/8000"), (96, "telephone-event/8000")))
    leg = inline.alone(phone)
    inline.ask(control.Digits(leg, True))
    phone.press(9, payload_type=96)
    inline.spin_until(lambda: any(isinstance(e, Digit) for e in inline.told))
    inline.ask(control.Digits(leg, False))
    phone.press(8, payload_type=96)
    inline.spin()

    assert [e.digit for e in inline.told if isinstance(e, Digit)] == ["9"]


def test_a_copy_of_an_end_is_no_second_key_press_whoever_asks_for_keys_by_then(
    inline: Inline,
) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)

    phone.press(1, ends=1)  # nobody has asked
    inline.spin()
    inline.ask(control.Digits(leg, True))
    phone.end_again(1)
    inline.spin()
    assert not [e for e in inline.told if isinstance(e, Digit)]
    phone.press(2, ends=1)
    inline.spin_until(lambda: any(isinstance(e, Digit) for e in inline.told))
    for wanted in (False, True):
        inline.ask(control.Digits(leg, wanted))
        phone.end_again(2)
        inline.spin()
    phone.press(2)
    inline.spin_until(lambda: sum(isinstance(e, Digit) for e in inline.told) == 2)

    assert [e.digit for e in inline.told if isinstance(e, Digit)] == ["2", "2"]


def test_nobody_presses_more_keys_in_a_second_than_a_machine_would(inline: Inline) -> None:
    """The exchange would think about nothing else."""
    phone = RtpPhone()
    leg = inline.alone(phone)
    inline.ask(control.Digits(leg, True))

    def told() -> int:
        return sum(isinstance(event, Digit) for event in inline.told)

    for _ in range(20):
        for _ in range(5):
            phone.press(1, packets=1, ends=1)
            phone.timestamp += 160
        inline.spin(0.001)
    assert told() == MOST_KEYS
    inline.spin(1.0)
    before = told()
    assert before < 2 * MOST_KEYS
    for key in range(10):
        phone.press(key)
        inline.spin(0.1)
    assert told() == before + 10


def test_digits_can_be_asked_for_before_anything_is_agreed(inline: Inline) -> None:
    inline.ask(control.Digits(inline.open(RtpPhone()), True))


def with_rare_codecs_alone(inline: Inline, phone: RtpPhone) -> str:
    leg, like = inline.open(phone), inline.open(RtpPhone())
    rare = RtpPhone(formats=((18, "G729/8000"),))
    inline.ask(control.TakeOffer(leg, phone.sdp()))
    inline.ask(control.TakeOffer(like, rare.sdp()))
    phone.read(inline.ask(control.MakeAnswer(leg, like=like)).sdp)
    inline.ask(control.Drop((like,)))
    rare.close()
    return leg


@pytest.mark.parametrize("is_first", [True, False])
def test_of_legs_without_a_codec_in_common_the_one_with_the_rarer_is_asked_for_another(
    inline: Inline, is_first: bool
) -> None:
    plain, rare = RtpPhone(), RtpPhone(formats=((18, "G729/8000"), (0, "PCMU/8000")))
    one, other = inline.alone(plain), with_rare_codecs_alone(inline, rare)

    inline.ask(control.Join(*((one, other) if is_first else (other, one))))

    assert [e.leg for e in inline.told if isinstance(e, Unmatched)] == [other]
    rare.send(b"\1" * 20, 18)
    plain.send()
    inline.spin()
    assert (plain.take(), rare.take()) == ([], [])
    inline.ask(control.Join(one, other))  # once more: is it still so?
    assert [e.leg for e in inline.told if isinstance(e, Unmatched)] == [other] * 2

    rare.read(inline.ask(control.MakeOffer(other, like=one)).sdp)
    rare.formats = ((0, "PCMU/8000"),)
    inline.ask(control.TakeAnswer(other, rare.sdp()))
    inline.ask(control.Join(one, other))
    assert len([e for e in inline.told if isinstance(e, Unmatched)]) == 2
    for speaker, listener in ((plain, rare), (rare, plain)):
        speaker.send()
        inline.spin_until(listener.take)


def test_legs_are_answered_before_they_are_joined(inline: Inline) -> None:
    for legs in ((inline.alone(RtpPhone()), inline.open(RtpPhone())),
                 (inline.open(RtpPhone()), inline.alone(RtpPhone()))):  # fmt: skip
        with pytest.raises(Misuse, match="answered"):
            inline.ask(control.Join(*legs))


def test_a_call_between_phones_without_a_codec_in_common_is_none(inline: Inline) -> None:
    plain, rare = RtpPhone(), RtpPhone(formats=((18, "G729/8000"), (0, "PCMU/8000")))
    caller, callee = with_rare_codecs_alone(inline, rare), inline.open(plain)
    plain.read(inline.ask(control.MakeOffer(callee)).sdp)

    with pytest.raises(Misuse, match="codec"):
        inline.ask(control.Bridge(callee, plain.sdp(), caller))


def test_nothing_is_played_in_a_codec_we_do_not_speak(inline: Inline) -> None:
    one, other = (RtpPhone(formats=((18, "G729/8000"),)) for _ in range(2))
    caller, callee = inline.open(one), inline.open(other)
    inline.ask(control.TakeOffer(caller, one.sdp()))
    other.read(inline.ask(control.MakeOffer(callee, like=caller)).sdp)
    inline.ask(control.TakeAnswer(callee, other.sdp()))
    one.read(inline.ask(control.MakeAnswer(caller, like=callee)).sdp)

    with pytest.raises(Misuse, match="played"):
        inline.ask(control.Feed(caller, Player(sounds=(Tone("beep"),))))
    inline.ask(control.Join(caller, callee))  # but it passes untouched
    one.send(b"\1" * 20, 18)
    inline.spin_until(other.take)


def test_a_player_that_was_held_up_does_not_hurry_after(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    inline.ask(control.Feed(leg, Player(sounds=(Tone("beep"),), times=0)))
    inline.spin(0.1)
    phone.take()
    inline.now += 0.4  # the loop itself is what is held up here
    inline.spin(0.1)

    assert len(phone.take()) <= 8


def test_a_withdrawn_offer_leaves_the_leg_as_it_was(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    inline.ask(control.MakeOffer(leg, direction="sendonly"))
    inline.ask(control.Withdraw(leg))
    phone.send()

    inline.spin_until(lambda: inline.stats(leg).received == 1)


def test_the_last_report_says_goodbye(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    inline.ask(control.Feed(leg, Player(sounds=(Tone("beep"),))))
    inline.spin_until(phone.take)
    inline.ask(control.Drop((leg,)))

    report = phone.listen_for_reports(2.0)
    assert report is not None and b"\x81\xcb" in report


def test_another_key_for_the_same_leg_is_a_rekey(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    phone.key = secrets.token_bytes(30)
    phone.outbound = context(phone.suite, phone.key, inbound=False)
    inline.ask(control.TakeOffer(leg, phone.sdp()))
    inline.ask(control.MakeAnswer(leg))
    phone.send()

    inline.spin_until(lambda: inline.stats(leg).received == 1)
    assert inline.stats(leg).rekeys == 1


@pytest.mark.parametrize("is_fed", [True, False])
def test_a_phone_that_takes_a_new_key_and_forgets_all_about_the_old_hears_us(
    inline: Inline, is_fed: bool
) -> None:
    """As after a hold in a long call: it counts from nought how often numbers went around."""
    phone, other = RtpPhone(), RtpPhone()
    leg, partner = inline.alone(phone), inline.alone(other)
    if is_fed:
        inline.ask(control.Join(leg, partner))
    else:
        inline.ask(control.Feed(leg, Player(sounds=(Silence(100),), times=0)))
    stream = inline.roster._legs[leg].stream
    ssrc, position = stream.ssrc, stream._position
    stream._position = (0xFFFE, *position[1:])
    for _ in range(4):  # once around
        other.send()
        inline.spin(0.02)
    assert {heard.ssrc for heard in phone.take()} == {ssrc}

    phone.key = secrets.token_bytes(30)
    phone.outbound = context(phone.suite, phone.key, inbound=False)
    inline.ask(control.TakeOffer(leg, phone.sdp()))
    phone.read(inline.ask(control.MakeAnswer(leg)).sdp)  # and opens with a context of its own
    for _ in range(4):
        phone.send()
        other.send()
        inline.spin(0.02)

    heard = phone.take()
    assert len(heard) >= 3
    assert {one.ssrc for one in heard} == {stream.ssrc} != {ssrc}
    assert [b.sequence - a.sequence for a, b in pairwise(heard)] == [1] * (len(heard) - 1)
    assert phone.refused == 0


def test_a_phone_whose_rtcp_moves_is_found_again(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.roster._legs[inline.alone(phone)]
    report = compound(phone.ssrc, "phone", time.time(), None, ())
    phone.send_report(report)
    inline.spin_until(lambda: leg.control.endpoint.is_latched)
    leg.control.heard_at -= 60
    leg.control.send(report)

    assert not leg.control.endpoint.is_latched


def test_figures_before_anything_happened_are_empty(inline: Inline) -> None:
    stats = inline.stats(inline.open(RtpPhone()))

    assert (stats.suite, stats.mos, stats.round_trip_ms, stats.lost) == ("", None, None, 0)


def test_a_shared_port_carries_both_and_the_other_one_is_given_up(inline: Inline) -> None:
    phone = RtpPhone(muxed=True)
    leg = inline.alone(phone)
    inline.ask(control.Join(leg, leg))
    phone.send()
    report = compound(phone.ssrc, "phone", time.time(), None, ())
    phone.throw(phone.outbound.protect_rtcp(report))
    inline.spin_until(lambda: inline.stats(leg).rtcp_received == 1)

    assert inline.stats(leg).received == 1
    inline.ask(control.TakeOffer(leg, phone.sdp()))
    assert b"a=rtcp-mux" in inline.ask(control.MakeAnswer(leg)).sdp
    inside = inline.roster._legs[leg]
    assert inside.control.endpoint is inside.path.endpoint
    assert inside.control.send(report)


def test_a_leg_whose_name_has_a_zone_may_be_sent_to(inline: Inline) -> None:
    one = inline.open(RtpPhone(), peer="127.0.0.9%lo")
    other = inline.open(RtpPhone(), peer="not an address")
    for leg in (one, other):
        phone = RtpPhone()
        inline.phones.append(phone)
        inline.ask(control.TakeOffer(leg, phone.sdp()))
        inline.ask(control.MakeAnswer(leg))
        assert inline.roster._legs[leg].path.endpoint.destination is None


def test_a_key_that_comes_back_goes_on_where_it_stopped(inline: Inline) -> None:
    """RFC 7714 §8: one nonce, one packet. Suite A, then B, then A again: the same keys of ours."""
    phone = RtpPhone(suite=GCM)
    leg = inline.alone(phone)
    inside = inline.roster._legs[leg]
    first_out, first_in = inside.stream.context, inside.path.context
    other = RtpPhone(suite="AEAD_AES_128_GCM")

    for offering in (other, phone):
        inline.ask(control.TakeOffer(leg, offering.sdp()))
        offering.read(inline.ask(control.MakeAnswer(leg)).sdp)
        if offering is other:
            assert inside.stream.context is not first_out

    assert inside.stream.context is first_out
    assert inside.path.context is first_in
    assert inline.stats(leg).rekeys == 2
    other.close()


def test_a_phone_that_never_stops_re_keying_is_refused_and_keeps_its_last_key(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media.worker.keying.MAX_CONTEXTS", 3)
    phone = RtpPhone(suite=GCM)
    leg = inline.alone(phone)
    inside = inline.roster._legs[leg]
    for allowed in (True, False):
        phone.key = secrets.token_bytes(44)
        inline.ask(control.TakeOffer(leg, phone.sdp()))
        before = inside.path.context
        if allowed:
            inline.ask(control.MakeAnswer(leg))
        else:
            with pytest.raises(AnswerRefused, match="too many keys"):
                inline.ask(control.MakeAnswer(leg))
            assert inside.path.context is before


def test_a_leg_that_cannot_be_closed_gives_its_ports_back(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = inline.open(RtpPhone())
    leg, free = inline.roster._legs[name], len(inline.roster._ports)

    def fail() -> None:
        raise OSError("of the system's own")

    with monkeypatch.context() as patched:
        patched.setattr(Leg, "close", lambda _: fail())
        with pytest.raises(OSError, match="own"):
            inline.ask(control.Drop((name,)))
    leg.close()
    assert name not in inline.roster._legs
    assert len(inline.roster._ports) == free + 1
