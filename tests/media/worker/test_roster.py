"""What is asked of a worker in one message, where it could be asked step by step."""

from collections.abc import Iterator
from typing import Any

import pytest

from media import control
from media.errors import AnswerRefused, LegGone, MediaFull, Misuse, OfferRefused
from media.values import StoredCall
from media.worker.kept import MOST_ENDED, Kept
from media.worker.roster import PAGE, PAGE_BYTES
from tests.support.media_desk import place
from tests.support.media_inline import Inline
from tests.support.rtp_phone import RtpPhone

GCM = "AEAD_AES_256_GCM"


@pytest.fixture
def inline() -> Iterator[Inline]:
    inline = Inline(first_port=40_000, last_port=40_005)
    yield inline
    inline.close()


def opened(inline: Inline, phone: RtpPhone, offer: bytes = b"") -> str:
    inline.phones.append(phone)
    leg: str = inline.ask(control.Open("call", place(phone), offer or phone.sdp())).leg
    return leg


def offering(inline: Inline, phone: RtpPhone, like: str = "") -> Any:
    inline.phones.append(phone)
    return inline.ask(control.OpenOffering("call", place(phone), like))


def test_a_call_is_set_up_in_three_messages_and_ended_in_one(inline: Inline) -> None:
    alice, bob = RtpPhone(), RtpPhone(GCM)
    caller = opened(inline, alice)
    callee = offering(inline, bob, caller)
    bob.read(callee.sdp)
    alice.read(inline.ask(control.Bridge(callee.leg, bob.sdp(), caller)).sdp)

    alice.send_tone(440)
    bob.send_tone(440)
    inline.spin_until(lambda: alice.take() and bob.take())

    caller_stats, callee_stats, gone = inline.ask(control.Drop((caller, callee.leg, "0.9"))).stats
    assert (caller_stats.received, callee_stats.received, gone) == (1, 1, None)
    assert callee_stats.suite == GCM
    assert len(inline.roster) == 0
    assert inline.roster.capacity == 3


def test_an_offer_that_is_refused_leaves_no_leg_and_no_port(inline: Inline) -> None:
    phone = RtpPhone()
    with pytest.raises(OfferRefused):
        opened(inline, phone, phone.sdp().replace(b"a=crypto", b"a=x-crypto"))

    assert len(inline.roster) == 0
    assert inline.roster.capacity == 3
    assert opened(inline, phone)


def test_a_leg_like_one_that_is_gone_is_not_opened(inline: Inline) -> None:
    with pytest.raises(LegGone):
        offering(inline, RtpPhone(), "0.9")

    assert inline.roster.capacity == 3
    legs = [offering(inline, RtpPhone()).leg for _ in range(3)]
    with pytest.raises(MediaFull):
        offering(inline, RtpPhone())
    assert [stats.sent for stats in inline.ask(control.Drop(tuple(legs))).stats] == [0, 0, 0]


def test_an_answer_that_was_not_offered_settles_nothing(inline: Inline) -> None:
    alice, bob = RtpPhone(), RtpPhone(GCM)
    caller = opened(inline, alice)
    callee = offering(inline, bob, caller)
    bob.read(callee.sdp)
    with pytest.raises(AnswerRefused):
        inline.ask(
            control.Bridge(callee.leg, bob.sdp().replace(b"a=crypto", b"a=x-crypto"), caller)
        )
    with pytest.raises(Misuse):
        inline.ask(control.Join(caller, callee.leg))

    settled = inline.ask(control.Bridge(callee.leg, bob.sdp(), caller))
    again = inline.ask(control.Bridge(callee.leg, bob.sdp(), caller))
    assert settled.sdp == again.sdp


def test_no_codec_in_common_is_the_callers_refusal(inline: Inline) -> None:
    alice, bob = RtpPhone(formats=((18, "G729/8000"),)), RtpPhone()
    caller = opened(inline, alice)
    callee = offering(inline, bob)
    bob.read(callee.sdp)

    with pytest.raises(OfferRefused, match="codec"):
        inline.ask(control.Bridge(callee.leg, bob.sdp(), caller))


def test_a_snapshot_outlives_its_call_until_it_is_forgotten(inline: Inline) -> None:
    leg = opened(inline, RtpPhone())
    inline.ask(control.Store("call", b"sealed"))
    inline.ask(control.Forget(("call", "no such call")))
    assert inline.ask(control.ListCalls()).calls == (StoredCall("call", (leg,), b"sealed"),)

    [figures] = inline.ask(control.Drop((leg,), b"ended")).stats
    [kept] = inline.ask(control.ListCalls()).calls
    assert kept == StoredCall("call", (), b"ended", {leg: figures})
    with pytest.raises(LegGone):
        inline.ask(control.Store("call", b"late"))
    inline.ask(control.Forget(("call",)))
    assert inline.ask(control.ListCalls()).calls == ()


def test_every_message_that_changes_a_call_can_bring_its_state(inline: Inline) -> None:
    def kept() -> bytes:
        [call] = inline.ask(control.ListCalls()).calls
        snapshot: bytes = call.snapshot
        return snapshot

    alice, bob = RtpPhone(), RtpPhone(GCM)
    inline.phones.append(alice)
    caller = inline.ask(control.Open("call", place(alice), alice.sdp(), b"begun")).leg
    assert kept() == b"begun"
    callee = offering(inline, bob, caller)
    bob.read(callee.sdp)
    assert kept() == b"begun"
    inline.ask(control.Bridge(callee.leg, bob.sdp(), caller, b"answered"))
    assert kept() == b"answered"
    inline.ask(control.Drop((callee.leg,)))
    assert kept() == b"answered"
    inline.ask(control.Drop((caller, callee.leg), b"over"))
    assert kept() == b"over"


def test_orphans_are_still_there_to_be_recorded(inline: Inline) -> None:
    leg = opened(inline, RtpPhone())
    inline.ask(control.Store("call", b"sealed"))
    inline.roster.end_orphans()

    [kept] = inline.ask(control.ListCalls()).calls
    assert (kept.legs, kept.snapshot, list(kept.figures)) == ((), b"sealed", [leg])


def test_calls_are_listed_page_by_page(inline: Inline) -> None:
    for number in range(PAGE + 3):
        phone = RtpPhone()
        inline.phones.append(phone)
        leg = inline.ask(control.Open(f"{number:03}", place(phone), phone.sdp(), b"s")).leg
        inline.ask(control.Drop((leg,)))
    first = inline.ask(control.ListCalls()).calls
    rest = inline.ask(control.ListCalls(first[-1].call)).calls
    assert [call.call for call in first + rest] == [f"{n:03}" for n in range(PAGE + 3)]
    assert (len(first), inline.ask(control.ListCalls(rest[-1].call)).calls) == (PAGE, ())


def test_a_page_is_no_longer_than_the_other_end_takes(inline: Inline) -> None:
    names = [f"{number:03}" for number in range(4)]
    for name in names:
        phone = RtpPhone()
        inline.phones.append(phone)
        kept = bytes(PAGE_BYTES + 1 if name == names[2] else PAGE_BYTES // 2)
        leg = inline.ask(control.Open(name, place(phone), phone.sdp(), kept)).leg
        inline.ask(control.Drop((leg,)))
    pages, after = [], ""
    while page := inline.ask(control.ListCalls(after)).calls:
        pages.append([call.call for call in page])
        after = page[-1].call
    assert pages == [names[:2], [names[2]], [names[3]]]


def test_what_is_kept_of_ended_calls_is_bounded() -> None:
    kept = Kept()
    for number in range(MOST_ENDED + 2):
        kept.store(str(number), b"s")
        kept.ended(str(number))
    kept.store("live", b"s")
    assert len(list(kept)) == MOST_ENDED + 1
    assert "1" not in kept
    assert "2" in kept
