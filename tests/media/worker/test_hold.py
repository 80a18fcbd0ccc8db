"""Hold and resume inside a worker: who hears what, in one stream that never stumbles."""

import itertools
from collections.abc import Iterator

import pytest

from media import control
from media.values import Held, Player, Silent, Tone
from media.worker.codecs import g711, g722
from tests.support.media_inline import Inline
from tests.support.rtp_phone import RtpPhone
from tests.support.tone import power

NOTES = (523.25, 659.25, 783.99)


@pytest.fixture
def inline() -> Iterator[Inline]:
    inline = Inline(silence_limit=1.0, hold_limit=5.0, relatch_after=0.2)
    yield inline
    inline.close()


def offer(inline: Inline, leg: str, sdp: bytes) -> bytes:
    inline.ask(control.TakeOffer(leg, sdp))
    answer: bytes = inline.ask(control.MakeAnswer(leg)).sdp
    return answer


def joined(inline: Inline, one: RtpPhone, other: RtpPhone) -> tuple[str, str]:
    legs = inline.alone(one), inline.alone(other)
    inline.ask(control.Join(*legs))
    return legs


def music_heard(phone: RtpPhone) -> bool:
    samples = [s for heard in phone.heard[-13:] for s in g711.decode_ulaw(heard.payload)]
    return sum(power(samples, 8000, note) for note in NOTES) > 0.3


def is_one_stream(phone: RtpPhone) -> bool:
    """One SSRC, no sequence twice, none missing, and time that only goes forward."""
    numbers = [heard.sequence for heard in phone.heard]
    times = [heard.timestamp for heard in phone.heard]
    steps = {(b - a) & 0xFFFF for a, b in itertools.pairwise(numbers)}
    forward = all(0 < (b - a) & 0xFFFFFFFF < 2**31 for a, b in itertools.pairwise(times))
    return len({heard.ssrc for heard in phone.heard}) == 1 and steps <= {1} and forward


@pytest.mark.parametrize("form", ["sendonly", "inactive", "nowhere"])
def test_whoever_is_on_hold_hears_music_and_nothing_of_the_other_room(
    inline: Inline, form: str
) -> None:
    nurse, patient = RtpPhone(), RtpPhone()
    ours, theirs = joined(inline, nurse, patient)
    nurse.send()
    inline.spin_until(patient.take)
    address = "0.0.0.0" if form == "nowhere" else None  # noqa: S104 - the hold of RFC 2543
    answer = offer(inline, ours, nurse.sdp("sendrecv" if address else form, address))
    assert (b"a=inactive" if form == "inactive" else b"a=recvonly") in answer
    assert inline.told.count(Held(ours, True)) == 1

    before = len(patient.heard)
    nurse.send_tone(1000.0)
    patient.send()
    inline.spin_until(lambda: [patient.take()] and len(patient.heard) > before + 20)
    assert music_heard(patient)
    assert nurse.take() == []
    resumed = offer(inline, ours, nurse.sdp())
    assert b"a=sendrecv" in resumed
    assert inline.told.count(Held(ours, False)) == 1
    nurse.send()
    inline.spin(0.1)
    patient.take()
    before = len(patient.heard)
    nurse.send(b"\x11" * 160)
    patient.send()
    inline.spin_until(lambda: patient.take())
    inline.spin_until(lambda: nurse.take())

    assert [heard.payload for heard in patient.heard[before:]] == [b"\x11" * 160]
    assert is_one_stream(patient)
    assert inline.stats(theirs).rekeys == 0


def test_both_may_hold_and_each_resumes_for_itself(inline: Inline) -> None:
    one, other = RtpPhone(), RtpPhone()
    first, second = joined(inline, one, other)
    for phone in (one, other):
        phone.send()
    inline.spin_until(one.take)
    offer(inline, first, one.sdp("sendonly"))
    offer(inline, second, other.sdp("sendonly"))
    inline.spin(0.1)
    one.take(), other.take()
    inline.spin(0.1)
    assert (one.take(), other.take()) == ([], [])

    offer(inline, second, other.sdp())
    inline.spin_until(lambda: [other.take()] and len(other.heard) > 15)
    assert music_heard(other)
    offer(inline, first, one.sdp())
    inline.spin(0.05)
    one.take()
    other.send(b"\x22" * 160)
    inline.spin_until(lambda: any(heard.payload == b"\x22" * 160 for heard in one.take()))


def test_a_phone_that_holds_need_not_send(inline: Inline) -> None:
    one, other = RtpPhone(), RtpPhone()
    first, _ = joined(inline, one, other)
    offer(inline, first, one.sdp("sendonly"))
    inline.spin_until(lambda: any(isinstance(e, Silent) for e in inline.told))

    assert {e.leg for e in inline.told if isinstance(e, Silent)} != {first}


def test_the_music_follows_the_codec_of_whoever_waits(inline: Inline) -> None:
    formats = ((0, "PCMU/8000"), (9, "G722/8000"))
    one, other = RtpPhone(formats=formats), RtpPhone(formats=formats)
    first, second = joined(inline, one, other)
    other.send()
    offer(inline, first, one.sdp("inactive"))
    inline.spin_until(other.take)
    other.formats = ((9, "G722/8000"),)
    offer(inline, second, other.sdp())
    inline.spin(0.05)
    other.take()
    other.heard.clear()
    inline.spin_until(lambda: [other.take()] and len(other.heard) > 15)

    assert {heard.payload_type for heard in other.heard} == {9}
    samples = list(g722.decode(b"".join(heard.payload for heard in other.heard)))
    assert sum(power(samples, 16_000, note) for note in NOTES) > 0.3


def test_a_codec_that_we_cannot_play_in_is_left_silent(inline: Inline) -> None:
    one, other = (RtpPhone(formats=((18, "G729/8000"),)) for _ in range(2))
    caller, callee = inline.open(one), inline.open(other)
    inline.ask(control.TakeOffer(caller, one.sdp()))
    other.read(inline.ask(control.MakeOffer(callee, like=caller)).sdp)
    inline.ask(control.TakeAnswer(callee, other.sdp()))
    one.read(inline.ask(control.MakeAnswer(caller, like=callee)).sdp)
    inline.ask(control.Join(caller, callee))
    inline.ask(control.TakeOffer(caller, one.sdp("sendonly")))
    inline.ask(control.MakeAnswer(caller, like=callee))
    inline.spin(0.1)
    assert other.take() == []

    inline.ask(control.TakeOffer(caller, one.sdp()))
    inline.ask(control.MakeAnswer(caller, like=callee))
    one.send(b"\1" * 20, 18)
    inline.spin_until(other.take)


def test_the_music_outlives_whoever_held_and_gives_way_to_a_prompt(inline: Inline) -> None:
    one, other, third = RtpPhone(), RtpPhone(), RtpPhone()
    first, second = joined(inline, one, other)
    other.send()
    offer(inline, first, one.sdp("sendonly"))
    inline.spin_until(other.take)
    inline.ask(control.Feed(second, Player(sounds=(Tone("test"),), times=0)))
    other.heard.clear()
    inline.spin_until(lambda: [other.take()] and len(other.heard) > 15)
    samples = [s for heard in other.heard[5:] for s in g711.decode_ulaw(heard.payload)]
    assert power(samples, 8000, 1000.0) > 0.5

    inline.ask(control.Join(first, second))  # joined again as they are: still on hold
    inline.spin(0.5)
    other.take()
    assert music_heard(other)
    inline.ask(control.Drop((first,)))
    inline.spin(0.1)
    other.take()
    inline.spin(0.1)
    assert len(other.take()) == 5
    assert is_one_stream(other)
    inline.ask(control.Part(second))
    inline.spin(0.1)
    assert other.take() == []
    inline.ask(control.Join(second, inline.alone(third)))
    third.send(b"\x33" * 160)
    inline.spin_until(lambda: any(heard.payload == b"\x33" * 160 for heard in other.take()))
    assert len({heard.ssrc for heard in other.heard}) == 1


def test_the_echo_of_a_phone_on_hold_is_no_music(inline: Inline) -> None:
    phone = RtpPhone()
    leg = inline.alone(phone)
    inline.ask(control.Join(leg, leg))
    phone.send()
    inline.spin_until(phone.take)
    offer(inline, leg, phone.sdp("sendonly"))
    inline.spin(0.1)
    assert phone.take() == []

    offer(inline, leg, phone.sdp())
    phone.send()
    inline.spin_until(phone.take)


def test_whoever_is_left_alone_hears_music_before_a_silence_is_heard(inline: Inline) -> None:
    gone, left = RtpPhone(), RtpPhone()
    ours, _ = joined(inline, gone, left)
    gone.send()
    inline.spin_until(left.take)

    inline.ask(control.Drop((ours,)))
    inline.spin(0.03)
    assert left.take()
    inline.spin_until(lambda: [left.take()] and len(left.heard) > 20)
    assert music_heard(left)
    assert is_one_stream(left)


@pytest.mark.parametrize("is_silent", [True, False])
def test_who_waits_hears_music_until_the_first_word_but_not_for_long(
    inline: Inline, is_silent: bool
) -> None:
    waits, comes = RtpPhone(), RtpPhone()
    ours, theirs = inline.alone(waits), inline.alone(comes)
    for phone in (waits, comes):
        phone.send()
    inline.ask(control.Feed(ours, Player(sounds=(Tone("ringback"),), times=0)))
    inline.spin(0.1)
    inline.ask(control.Join(ours, theirs))
    waits.take()
    inline.spin(0.2)
    assert 9 <= len(waits.take()) <= 11
    if not is_silent:
        comes.send(b"\x11" * 160)
        inline.spin_until(waits.take)
        inline.spin(0.1)
    inline.spin(0.5)
    waits.take()
    last = len(waits.heard)
    inline.spin(0.1)

    assert waits.take() == []
    assert (waits.heard[-1].payload == b"\x11" * 160) is not is_silent
    assert 15 + 10 * is_silent <= last <= 20 + 15 * is_silent
    assert is_one_stream(waits)


@pytest.mark.parametrize("word", ["part", "feed", "join", "drop", "at once"])
def test_whoever_is_told_what_to_hear_when_left_alone_hears_no_music(
    inline: Inline, word: str
) -> None:
    gone, left, new = RtpPhone(), RtpPhone(), RtpPhone()
    ours, theirs = joined(inline, gone, left)
    other = inline.alone(new)
    for phone in (left, new):
        phone.send()
    inline.spin()
    inline.ask(control.Drop((ours, theirs) if word == "at once" else (ours,)))
    match word:
        case "part":
            inline.ask(control.Part(theirs))
        case "feed":
            inline.ask(control.Feed(theirs, Player(sounds=(Tone("congestion"),))))
        case "join":
            inline.ask(control.Join(theirs, other))
            new.send(b"\x11" * 160)
        case "drop":
            inline.ask(control.Drop((theirs,)))
    inline.spin(0.3)
    left.take()

    assert not music_heard(left)
    assert bool(left.heard) is (word in ("feed", "join"))


def test_who_hears_the_other_already_is_joined_again_without_a_seam(inline: Inline) -> None:
    nurse, patient = RtpPhone(), RtpPhone()
    ours, theirs = joined(inline, nurse, patient)
    patient.send()
    inline.spin()
    offer(inline, ours, nurse.sdp("sendonly"))
    inline.spin(0.1)
    inline.ask(control.Join(theirs, ours))
    inline.spin(0.1)
    patient.take()

    assert [heard.marker for heard in patient.heard].count(True) == 1  # where the music began
    assert is_one_stream(patient)
