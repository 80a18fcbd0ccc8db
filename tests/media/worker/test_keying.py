"""Keys made by handshakes, on a leg's own sockets, with a phone that has an OpenSSL of its own."""

import gc
from collections.abc import Iterator

import pytest

from media import control
from media.errors import AnswerRefused
from media.values import Latched, Learnt, Manner, Unkeyed
from media.worker import association as association_module
from media.worker.association import Association
from media.worker.dtls import Handshake
from media.worker.keying import Keying
from media.worker.leg import Leg
from tests.support.dtls_phone import Certificate, DtlsPhone
from tests.support.media_inline import Inline
from tests.support.rtp_phone import RtpPhone

DTLS = Manner(keying="dtls", feedback=True)
REPORT = bytes.fromhex("80c90001") + b"\1\2\3\4"
GCM = "AEAD_AES_256_GCM"


@pytest.fixture
def inline() -> Iterator[Inline]:
    inline = Inline()
    yield inline
    inline.close()


def until_keyed(inline: Inline, *phones: DtlsPhone) -> None:
    inline.spin_until(lambda: all([phone.pump() for phone in phones]))
    inline.spin()


def offered_to(inline: Inline, phone: DtlsPhone, **where: object) -> str:
    """A leg that offered, and whose phone answered."""
    leg = inline.open(phone, **{"manner": DTLS, **where})
    phone.read(inline.ask(control.MakeOffer(leg)).sdp)
    inline.ask(control.TakeAnswer(leg, phone.sdp()))
    return leg


def offer_again(inline: Inline, leg: str, phone: DtlsPhone) -> None:
    phone.setup = "actpass"
    inline.ask(control.TakeOffer(leg, phone.sdp()))
    phone.read(inline.ask(control.MakeAnswer(leg)).sdp)


@pytest.mark.parametrize("setup", ["actpass", "active", "passive"])
@pytest.mark.parametrize("muxed", [False, True])
def test_a_phone_that_offers_is_heard_and_hears_under_keys_of_a_handshake(
    inline: Inline, setup: str, muxed: bool
) -> None:
    phone = DtlsPhone(setup=setup, muxed=muxed)
    leg = inline.alone(phone)
    inline.ask(control.Join(leg, leg))
    until_keyed(inline, phone)

    phone.send(b"\x11" * 160)
    inline.spin_until(lambda: Latched(leg) in inline.told)
    phone.send_report(REPORT)
    inline.spin()

    assert [heard.payload for heard in phone.take()] == [b"\x11" * 160]
    stats = inline.stats(leg)
    assert (stats.keying, stats.suite, stats.rekeys) == ("dtls", GCM, 0)
    assert (stats.received, stats.rtcp_received, stats.rtcp_refused) == (1, 1, 0)
    assert len(phone.sides) == (1 if muxed else 2)


@pytest.mark.parametrize("setup", ["active", "passive"])
def test_a_phone_that_is_offered_to_is_heard_too(inline: Inline, setup: str) -> None:
    phone = DtlsPhone(setup=setup)
    leg = offered_to(inline, phone)
    until_keyed(inline, phone)

    phone.send()
    phone.send_report(REPORT)
    inline.spin_until(lambda: inline.stats(leg).rtcp_received)
    assert inline.stats(leg).received == 1


def test_reports_have_keys_of_their_own(inline: Inline) -> None:
    phone = DtlsPhone()
    leg = inline.alone(phone)
    until_keyed(inline, phone)
    phone.send_report(REPORT)
    inline.spin_until(lambda: inline.stats(leg).rtcp_received == 1)

    phone.reports_out = phone.outbound
    phone.send_report(REPORT)
    inline.spin()

    stats = inline.stats(leg)
    assert (stats.rtcp_received, stats.rtcp_refused) == (1, 1)


def test_our_reports_are_sealed_under_the_keys_of_their_own_handshake(inline: Inline) -> None:
    phone = DtlsPhone()
    leg = inline.alone(phone)
    inside = inline.roster._legs[leg]
    assert not inside.control.send(inside.reports.write())
    until_keyed(inline, phone)

    assert inside.control.send(inside.reports.write())

    assert phone.reports_in is not None
    assert phone.reports_in.unprotect_rtcp(phone.rtcp.recv(4096))[1] == 201


def test_media_before_the_handshake_is_dropped_and_counted(inline: Inline) -> None:
    one, other = DtlsPhone(), RtpPhone()
    leg, hearing = inline.alone(one), inline.alone(other)
    inline.ask(control.Join(leg, hearing))
    one.send()
    one.throw(one.packet(b"plain" * 32))
    inline.spin()
    assert (inline.stats(leg).early, inline.stats(leg).received) == (2, 0)

    other.send()
    inline.spin()
    assert one.take() == [] and inline.stats(leg).sent == 0

    until_keyed(inline, one)
    one.send()
    inline.spin()
    assert len(other.take()) == 1
    assert inline.stats(leg).early == 2


def test_a_wrong_certificate_gets_no_keys_and_the_exchange_is_told(inline: Inline) -> None:
    right, wrong = DtlsPhone(), DtlsPhone(announced=Certificate().fingerprint())
    good, bad = inline.alone(right), inline.alone(wrong, call="other")
    until_keyed(inline, right)

    inline.spin_until(lambda: wrong.pump() or wrong.failure)
    inline.spin_until(lambda: Unkeyed(bad, "fingerprint") in inline.told)

    assert Unkeyed(good, "fingerprint") not in inline.told
    wrong.send()
    inline.spin()
    assert inline.stats(bad).received == 0
    assert inline.stats(bad).suite == ""


def test_only_the_reports_port_of_a_stranger_fails_the_leg_too(inline: Inline) -> None:
    phone = DtlsPhone()
    leg = inline.alone(phone)
    voice, reports = phone.sides
    phone.sides = [voice]
    until_keyed(inline, phone)
    phone.certificate = Certificate()
    phone.sides = [type(reports)(phone._connection(), reports.socket, 1)]

    inline.spin_until(lambda: phone.pump() or phone.failure)

    inline.spin_until(lambda: Unkeyed(leg, "fingerprint") in inline.told)


def test_a_handshake_that_never_ends_is_given_up_but_reports_may_be_left_out(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(association_module, "LIMIT", 0.3)
    phone, silent = DtlsPhone(), DtlsPhone(setup="passive")
    leg, dead = inline.alone(phone), inline.alone(silent, call="other")
    phone.sides = phone.sides[:1]
    until_keyed(inline, phone)

    inline.spin_until(lambda: Unkeyed(dead, "timeout") in inline.told)
    inline.spin(0.1)

    assert [event for event in inline.told if isinstance(event, Unkeyed) and event.leg == leg] == []


def test_lost_messages_are_said_again_by_either_side(inline: Inline) -> None:
    for setup in ("active", "passive"):
        phone = DtlsPhone(setup=setup, muxed=True)
        leg = inline.alone(phone, call=setup)
        phone.sides[0].loses = 2
        until_keyed(inline, phone)
        phone.send()
        inline.spin_until(lambda leg=leg: Latched(leg) in inline.told)


def test_a_first_message_that_overtakes_its_answer_is_kept(inline: Inline) -> None:
    phone = DtlsPhone(setup="active", muxed=True)
    leg = inline.open(phone, manner=Manner(keying="dtls", feedback=True, muxed=True))
    phone.read(inline.ask(control.MakeOffer(leg)).sdp)
    phone.pump()
    phone.throw(b"\x17 not a first message")
    phone.throw(b"\x00\x01 nor this")
    inline.spin()

    inline.ask(control.TakeAnswer(leg, phone.sdp()))
    sent = phone.sides[0].connection.DTLSv1_get_timeout()
    until_keyed(inline, phone)

    assert sent > 0.5  # nothing was said twice
    assert inline.stats(leg).junk == 2


def test_a_handshake_from_elsewhere_is_not_answered(inline: Inline) -> None:
    """We are no reflector: a server's answer is longer than what asks for it."""
    phone = DtlsPhone()
    leg = inline.alone(phone, peer="127.0.0.9", local="127.0.0.1")
    phone.pump()
    inline.spin()
    assert not phone.pump()
    assert inline.stats(leg).junk == 2

    near = DtlsPhone()
    inline.alone(near, call="near")
    until_keyed(inline, near)


def test_a_reoffer_with_nothing_new_keeps_the_keys(inline: Inline) -> None:
    phone = DtlsPhone(extra=("a=tls-id:" + "a" * 20,))
    leg = inline.alone(phone)
    until_keyed(inline, phone)
    inside = inline.roster._legs[leg]
    contexts = inside.path.context, inside.stream.context
    sides, phone.setup = phone.sides, "actpass"

    inline.ask(control.TakeOffer(leg, phone.sdp("sendonly")))
    inline.ask(control.MakeAnswer(leg))

    assert (inside.path.context, inside.stream.context) == contexts
    assert inside.stream.handle is None  # on hold
    phone.setup, phone.sides = "active", sides
    phone.send()
    inline.spin()
    assert inline.stats(leg).received == 1


@pytest.mark.parametrize("new", ["certificate", "tls-id"])
def test_something_new_in_the_reoffer_begins_another_association(inline: Inline, new: str) -> None:
    phone = DtlsPhone(extra=("a=tls-id:" + "a" * 20,))
    leg = inline.alone(phone)
    inline.ask(control.Join(leg, leg))
    until_keyed(inline, phone)
    phone.send()
    inline.spin_until(lambda: Latched(leg) in inline.told)
    old = phone.outbound

    if new == "certificate":
        phone.certificate = Certificate()
    else:
        phone.extra = ("a=tls-id:" + "b" * 20,)
    offer_again(inline, leg, phone)
    phone.send()  # until the new keys stand, the old ones are good
    inline.spin()
    assert inline.stats(leg).received == 2
    phone.take()
    until_keyed(inline, phone)

    assert phone.outbound is not old
    phone.take()
    phone.send(b"\x22" * 160)
    inline.spin()
    assert [heard.payload for heard in phone.take()] == [b"\x22" * 160]
    assert inline.stats(leg).rekeys == 1


def test_a_leg_may_change_between_crypto_lines_and_handshakes(inline: Inline) -> None:
    plain, phone = RtpPhone(), DtlsPhone()
    leg = inline.alone(plain)
    plain.send()
    inline.spin()
    phone.rtp, plain.rtp = plain.rtp, phone.rtp

    offer_again(inline, leg, phone)
    until_keyed(inline, phone)
    phone.send()
    inline.spin()
    assert (inline.stats(leg).received, inline.stats(leg).keying) == (2, "dtls")

    phone.rtp, plain.rtp = plain.rtp, phone.rtp
    plain.muxed = False
    inline.ask(control.TakeOffer(leg, plain.sdp()))
    plain.read(inline.ask(control.MakeAnswer(leg)).sdp)
    plain.send()
    inline.spin()
    assert (inline.stats(leg).received, inline.stats(leg).keying) == (3, "sdes")
    phone.close()


def test_a_phone_s_manner_is_learnt_when_it_is_not_the_expected_one(inline: Inline) -> None:
    phone = DtlsPhone()
    leg = inline.alone(phone)
    known = inline.alone(DtlsPhone(), call="known", manner=DTLS)
    plain = inline.alone(RtpPhone(), call="plain")

    assert [event for event in inline.told if isinstance(event, Learnt)] == [Learnt(leg, DTLS)]
    assert known != plain


def test_a_phone_that_restarts_for_ever_is_refused(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media.worker.keying.MAX_CONTEXTS", 8)
    phone = DtlsPhone()
    leg = inline.alone(phone)
    until_keyed(inline, phone)
    phone.certificate = Certificate()
    offer_again(inline, leg, phone)
    until_keyed(inline, phone)
    phone.certificate, phone.setup = Certificate(), "actpass"
    inline.ask(control.TakeOffer(leg, phone.sdp()))

    with pytest.raises(AnswerRefused, match="too many keys"):
        inline.ask(control.MakeAnswer(leg))


def test_nothing_of_a_leg_with_handshakes_is_left(inline: Inline) -> None:
    def remaining() -> int:
        kinds = Leg | Keying | Association | Handshake
        return sum(isinstance(o, kinds) for o in gc.get_objects())

    gc.collect()
    gc.disable()  # as in a worker
    try:
        before = remaining()
        for number in range(3):
            phone = DtlsPhone(muxed=number == 1)
            leg = inline.alone(phone, call=str(number))
            if number:
                until_keyed(inline, phone)
            inline.ask(control.Drop((leg,)))
        assert remaining() == before
    finally:
        gc.enable()


def test_the_last_message_is_kept_for_a_while_after_the_end(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(association_module, "KEEP", 0.2)
    phone = DtlsPhone(muxed=True)
    leg = inline.alone(phone)
    until_keyed(inline, phone)
    association = inline.roster._legs[leg].keying._voice
    assert association is not None and association._handshake is not None

    inline.spin(0.3)

    assert association._handshake is None
    phone.send()
    inline.spin()
    assert inline.stats(leg).received == 1


def test_where_nobody_may_be_sent_to_an_active_side_waits(inline: Inline) -> None:
    phone = DtlsPhone(setup="passive")
    leg = inline.alone(phone, peer="127.0.0.9", local="127.0.0.1")
    inline.spin()

    phone.pump()
    assert phone.sides[0].connection.get_state_string() == b"before SSL initialization"
    inline.ask(control.Drop((leg,)))
