"""Legs without a common codec: what each phone says is made over for the other."""

import math
from array import array
from collections.abc import Iterator
from itertools import pairwise

import pytest

from media import control
from media.errors import MediaFull
from media.values import Digit, Fed, Player, Tone, Unmatched
from media.worker import transcoder as transcoder_module
from media.worker.codecs.coder import Decoder, Encoder
from media.worker.jitter import MOST
from media.worker.transcoder import Coding
from tests.support.media_inline import Inline
from tests.support.rtp_phone import Heard, RtpPhone
from tests.support.tone import seconds_of

EVENTS = (101, "telephone-event/8000")


def speaking(number: int, name: str, *more: tuple[int, str]) -> RtpPhone:
    return RtpPhone(formats=((number, name), *more, EVENTS))


def opus() -> RtpPhone:
    return speaking(96, "opus/48000/2")


def alaw() -> RtpPhone:
    return speaking(8, "PCMA/8000")


@pytest.fixture
def inline() -> Iterator[Inline]:
    inline = Inline()
    yield inline
    inline.close()


def joined(inline: Inline, one: RtpPhone, other: RtpPhone) -> tuple[str, str]:
    caller, callee = inline.open(one), inline.open(other)
    inline.ask(control.TakeOffer(caller, one.sdp()))
    other.read(inline.ask(control.MakeOffer(callee, like=caller)).sdp)
    inline.ask(control.TakeAnswer(callee, other.sdp()))
    one.read(inline.ask(control.MakeAnswer(caller, like=callee)).sdp)
    inline.ask(control.Join(caller, callee))
    return caller, callee


def talk(
    inline: Inline, phone: RtpPhone, codec: str, number: int, frames: int = 50, skip: object = ()
) -> None:
    """A tone of 440 Hz at a telephone's pace; packets named in `skip` are lost."""
    encoder = Encoder(codec)
    count = encoder.frame_octets // 2
    step = 2 * math.pi * 440 / encoder.rate
    clock = 48_000 if codec == "opus" else 8_000
    begun = inline.loop.now()
    for n in range(frames):
        tone = array("h", (int(8000 * math.sin(step * (n * count + k))) for k in range(count)))
        wire = phone.packet(encoder.encode(tone.tobytes()), number)
        phone.timestamp += clock // 50 - 160
        if n not in skip:  # type: ignore[operator]
            phone.throw(phone.outbound.protect(wire))
        inline.spin(max(begun + 0.02 * (n + 1) - inline.loop.now(), 0.001))


def heard_tone(heard: list[Heard], codec: str, hertz: float = 440.0) -> float:
    """What share of it is the tone, 20 ms by 20 ms."""
    decoder = Decoder(codec, 8_000)
    samples = array("h", b"".join(decoder.decode(h.payload) for h in heard))
    return seconds_of(list(samples), 8_000, hertz) * 8_000 / len(samples)


def test_a_phone_with_opus_alone_hears_what_we_play(inline: Inline) -> None:
    phone = opus()
    leg = inline.alone(phone)

    inline.ask(control.Feed(leg, Player(sounds=(Tone("test"),))))
    inline.spin_until(lambda: Fed(leg) in inline.told)

    heard = phone.take()
    assert {h.payload_type for h in heard} == {96}
    assert heard_tone(heard, "opus", 1000.0) > 0.9
    assert {b.timestamp - a.timestamp for a, b in pairwise(heard)} == {960}


@pytest.mark.parametrize(
    ("codec", "number", "name"),
    [("opus", 96, "opus/48000/2"), ("g722", 9, "G722/8000"), ("pcma", 8, "PCMA/8000")],
)
def test_both_hear_each_other(inline: Inline, codec: str, number: int, name: str) -> None:
    plain, other = RtpPhone(), speaking(number, name)
    one, two = joined(inline, plain, other)

    talk(inline, plain, "pcmu", 0)
    heard = other.take()
    # It answers under the number that we offered (RFC 3264 §6.1).
    talk(inline, other, codec, 107 if codec == "opus" else number)
    back = plain.take()

    assert {h.payload_type for h in heard} == {number}
    assert {h.payload_type for h in back} == {0}
    assert heard_tone(heard, codec) > 0.8
    assert heard_tone(back, "pcmu") > 0.8
    for found, step in ((heard, 960 if codec == "opus" else 160), (back, 160)):
        assert all(
            (b.sequence - a.sequence) & 0xFFFF == 1 and b.timestamp - a.timestamp == step
            for a, b in pairwise(found)
        )
        assert found[0].marker and not any(h.marker for h in found[1:])
    assert inline.stats(one).coded >= len(heard)
    assert inline.stats(two).coded >= len(back)


def test_loss_is_concealed_and_the_pace_kept(inline: Inline) -> None:
    plain, other = RtpPhone(), alaw()
    one, _ = joined(inline, plain, other)

    talk(inline, plain, "pcmu", 0, skip={10, 20, 21, 30})

    heard = other.take()
    coder = inline.roster._legs[one]._onward._coder
    assert coder is not None and coder.concealed >= 4
    assert len(heard) >= 46
    assert heard_tone(heard, "pcma") > 0.8


def test_a_phone_that_pauses_is_silent_and_goes_on_with_a_marker(inline: Inline) -> None:
    plain, other = RtpPhone(), alaw()
    one, _ = joined(inline, plain, other)
    talk(inline, plain, "pcmu", 0, 10)
    inline.spin(0.5)
    coder = inline.roster._legs[one]._onward._coder
    assert coder is not None and coder._turn is None
    before = len(other.take())

    plain.timestamp += 4000
    talk(inline, plain, "pcmu", 0, 10)
    inline.spin(0.1)

    heard = other.take()
    assert before <= 22
    assert heard[0].marker and heard[0].timestamp - other.heard[-len(heard) - 1].timestamp > 2000


def test_one_lone_packet_is_no_reason_to_wait_for_ever(inline: Inline) -> None:
    plain, other = RtpPhone(), alaw()
    one, _ = joined(inline, plain, other)
    talk(inline, plain, "pcmu", 0, 1)

    inline.spin(0.4)

    coder = inline.roster._legs[one]._onward._coder
    assert coder is not None and coder._turn is None
    assert other.take() == []


def test_key_presses_go_through_in_the_others_time(inline: Inline) -> None:
    plain = RtpPhone()
    other = RtpPhone(formats=((96, "opus/48000/2"), (120, "telephone-event/48000"), EVENTS))
    joined(inline, plain, other)
    talk(inline, plain, "pcmu", 0, 10)
    other.take()

    plain.press(5)
    plain.throw(plain.outbound.protect(plain.packet(b"\5", 101)))  # too short to be one
    inline.spin(0.1)
    talk(inline, plain, "pcmu", 0, 10)
    inline.spin(0.1)

    heard = other.take()
    presses = [h for h in heard if h.payload_type in (101, 120)]
    assert len(presses) == 7
    assert len({h.timestamp for h in presses}) == 1
    assert [h.marker for h in presses] == [True] + [False] * 6
    assert presses[-1].payload[0] == 5 and presses[-1].payload[1] & 0x80
    order = [h.sequence for h in heard]
    assert order == sorted(order)
    voice = [h for h in heard if h.payload_type == 96]
    assert voice and voice[-1].timestamp > presses[0].timestamp


def test_reported_digits_are_not_passed_on(inline: Inline) -> None:
    plain, other = RtpPhone(), alaw()
    one, _ = joined(inline, plain, other)
    inline.ask(control.Digits(one, True))

    plain.press(5)
    inline.spin(0.1)

    assert any(isinstance(event, Digit) for event in inline.told)
    assert [h for h in other.take() if h.payload_type == 101] == []


def test_a_phone_that_changes_to_a_common_codec_is_passed_untouched_and_back(
    inline: Inline,
) -> None:
    plain = RtpPhone()
    other = speaking(0, "PCMU/8000", (8, "PCMA/8000"))
    one, two = inline.open(plain), inline.open(other)
    inline.ask(control.TakeOffer(one, plain.sdp()))
    other.read(inline.ask(control.MakeOffer(two, like=one)).sdp)
    inline.ask(control.TakeAnswer(two, other.sdp()))
    plain.read(inline.ask(control.MakeAnswer(one, like=two)).sdp)
    inline.ask(control.Join(one, two))
    talk(inline, other, "pcmu", 0, 10)
    assert inline.stats(two).coded == 0
    assert len(plain.take()) == 10

    talk(inline, other, "pcma", 8, 20)  # it may: it said so in its answer
    assert heard_tone(plain.take(), "pcmu") > 0.8
    assert inline.stats(two).coded >= 15
    coded = inline.stats(two).coded
    talk(inline, other, "pcmu", 0, 10)
    assert inline.stats(two).coded <= coded + 2
    assert len(plain.take()) >= 9


def test_a_call_too_many_is_refused_and_room_comes_back(inline: Inline) -> None:
    object.__setattr__(inline.roster._around, "coding", Coding(most=2))
    first = joined(inline, RtpPhone(), alaw())
    caller, other = inline.alone(RtpPhone()), alaw()
    callee = inline.open(other)
    other.read(inline.ask(control.MakeOffer(callee, like=caller)).sdp)
    with pytest.raises(MediaFull, match="common codec"):
        inline.ask(control.Bridge(callee, other.sdp(), caller))
    inline.ask(control.Join(caller, callee))  # in calls already: one is asked for another codec
    assert [e.leg for e in inline.told if isinstance(e, Unmatched)] == [caller]

    inline.ask(control.Join(caller, callee))  # as soon as there is room they hear each other
    assert len([e for e in inline.told if isinstance(e, Unmatched)]) == 1

    inline.ask(control.Drop(first))

    joined(inline, RtpPhone(), alaw())


def test_what_we_do_not_speak_goes_no_further_and_harms_nobody(inline: Inline) -> None:
    plain, other = speaking(0, "PCMU/8000", (18, "G729/8000")), opus()
    like = RtpPhone(formats=((0, "PCMU/8000"), (18, "G729/8000")))
    one, two, third = inline.open(plain), inline.open(other), inline.open(like)
    inline.ask(control.TakeOffer(one, plain.sdp()))
    inline.ask(control.TakeOffer(third, like.sdp()))
    plain.read(inline.ask(control.MakeAnswer(one, like=third)).sdp)  # may speak in both
    other.read(inline.ask(control.MakeOffer(two, like=one)).sdp)
    other.formats = ((107, "opus/48000/2"),)
    inline.ask(control.TakeAnswer(two, other.sdp()))
    inline.ask(control.Join(one, two))

    for _ in range(5):
        plain.send(b"\1" * 20, 18)  # as it did with whom it talked before
    inline.spin(0.2)
    assert other.take() == []
    talk(inline, plain, "pcmu", 0, 20)
    assert heard_tone(other.take(), "opus") > 0.5


def test_a_held_call_stops_and_a_resumed_one_goes_on(inline: Inline) -> None:
    plain, other = RtpPhone(), alaw()
    one, _ = joined(inline, plain, other)
    talk(inline, plain, "pcmu", 0, 10)
    for direction in ("sendonly", "sendrecv"):
        inline.ask(control.TakeOffer(one, plain.sdp(direction)))
        plain.read(inline.ask(control.MakeAnswer(one, like=None)).sdp)
        is_coding = inline.roster._legs[one]._onward._coder is not None
        assert is_coding == (direction == "sendrecv")
    other.take()
    talk(inline, plain, "pcmu", 0, 30)
    assert heard_tone(other.take(), "pcma") > 0.8


def test_a_key_whose_end_was_lost_does_not_silence_voice_for_long(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcoder_module, "EVENT_LOST_AFTER", 0.1)
    plain, other = RtpPhone(), alaw()
    joined(inline, plain, other)
    talk(inline, plain, "pcmu", 0, 5)
    wire = plain.packet(b"\5\x0a\0\xa0", 101, marker=True)
    plain.throw(plain.outbound.protect(wire))
    inline.spin()
    other.take()

    talk(inline, plain, "pcmu", 0, 20)

    assert any(h.payload_type == 8 for h in other.take())


def test_a_phone_that_cuts_its_voice_into_crumbs_costs_no_more_than_others(inline: Inline) -> None:
    """One sample in each packet, and all of them at once; codec and back with each."""
    plain = RtpPhone(formats=((0, "PCMU/8000"), (8, "PCMA/8000"), EVENTS))
    other = speaking(9, "G722/8000")
    _, crumbling = joined(inline, other, plain)
    coder = None
    for turn in range(20):
        for n in range(100):
            plain.throw(plain.outbound.protect(plain.packet(b"\xd5", 8 if turn % 2 else 0)))
            plain.timestamp += 1 - 160
            if n % 4 == 3:
                inline.spin(0.0001)
        inline.spin(0.02)
        coder = inline.roster._legs[crumbling]._onward._coder
        assert coder is not None and len(coder._jitter._packets) <= MOST

    talk(inline, plain, "pcmu", 0)
    assert coder is not None and len(coder._decoders) == 2
    assert heard_tone(other.take()[-30:], "g722") > 0.8, "nothing of it is left"
