"""RFC 3264 for one audio stream, keyed by RFC 4568."""

import base64
import re

import pytest

from media.errors import AnswerRefused, Misuse, OfferRefused
from media.sdp.crypto_attribute import AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80
from media.sdp.fingerprint import Fingerprint
from media.sdp.formats import PCMA, PCMU, Codec, with_coded
from media.sdp.offer_answer import Negotiation
from media.sdp.parser import parse
from media.values import Manner

CM30 = base64.b64encode(bytes(range(30))).decode()
GCM44 = base64.b64encode(bytes(range(44))).decode()
CM = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{CM30}"
GCM = f"a=crypto:2 AEAD_AES_256_GCM inline:{GCM44}"
WEAK = f"a=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:{CM30}"


def offer(
    *lines: str, protocol: str = "RTP/SAVP", formats: str = "0 8 101", address: str = "192.0.2.9"
) -> bytes:
    """A phone's description."""
    head = ["v=0", f"o=- 5 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0"]
    media = [f"m=audio 4000 {protocol} {formats}", "a=rtpmap:101 telephone-event/8000"]
    return ("\r\n".join([*head, *media, *lines]) + "\r\n").encode()


def negotiation() -> Negotiation:
    return Negotiation("198.51.100.1", 20_000, Fingerprint.of(b"ours"))


def reply(ours: bytes, *, tag: int = 1, suite: str = "AEAD_AES_256_GCM", key: str = GCM44) -> bytes:
    """A phone's answer to our offer."""
    return offer(f"a=crypto:{tag} {suite} inline:{key}", formats="0 120").replace(
        b"a=rtpmap:101", b"a=rtpmap:120"
    )


# --- the phone offers


def test_the_best_suite_is_chosen_whatever_the_phones_order() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, GCM))

    text = leg.make_answer().decode()

    assert re.findall(r"a=crypto:(\S+ \S+)", text) == ["2 AEAD_AES_256_GCM"]
    assert leg.agreed is not None
    assert leg.agreed.keys.theirs.master == bytes(range(44))
    assert leg.agreed.keys.ours.master != leg.agreed.keys.theirs.master


@pytest.mark.parametrize(
    "bad",
    [
        WEAK,
        f"{CM}|2^20|1:4",
        f"{CM} UNENCRYPTED_SRTP",
        f"{CM} UNENCRYPTED_SRTCP",
        f"{CM} UNAUTHENTICATED_SRTP",
        f"{CM} KDR=1",
        f"{CM} FEC_ORDER=FEC_SRTP",
    ],
)
def test_a_bad_line_alone_is_488_and_beside_a_good_one_is_passed_over(bad: str) -> None:
    with pytest.raises(OfferRefused) as refused:
        negotiation().take_offer(offer(bad))
    assert refused.value.status == 488
    assert refused.value.warning == 302

    leg = negotiation()
    leg.take_offer(offer(bad, CM.replace(":1 ", ":9 ")))
    assert b"a=crypto:9 AES_CM_128_HMAC_SHA1_80" in leg.make_answer()


def test_the_refusal_of_the_short_tag_names_it() -> None:
    with pytest.raises(OfferRefused, match="AES_CM_128_HMAC_SHA1_32"):
        negotiation().take_offer(offer(WEAK))


@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/AVP"])
def test_no_keys_is_488_with_the_reason(protocol: str) -> None:
    with pytest.raises(OfferRefused, match="encryption is required") as refused:
        negotiation().take_offer(offer(protocol=protocol))
    assert refused.value.status == 488


@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"])
def test_the_answer_keeps_the_offered_transport_and_is_always_encrypted(protocol: str) -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, protocol=protocol))

    answer = leg.make_answer()

    assert f"m=audio 20000 {protocol} ".encode() in answer
    assert b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" in answer


@pytest.mark.parametrize(
    ("sdp", "status"),
    [
        (b"nonsense", 400),
        (offer(CM, protocol="UDP/TLS/RTP/SAVPF"), 488),
        (offer(CM, protocol="TCP/RTP/SAVP"), 488),
        (offer(CM, formats="77 101"), 488),
        (offer(CM).replace(b"audio 4000", b"audio 0"), 488),
        (offer(CM).replace(b"m=audio", b"m=video"), 488),
        (offer(CM, "a=rtcp:x"), 400),
        (offer(CM).replace(b"c=IN IP4 192.0.2.9\r\n", b""), 400),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_status(sdp: bytes, status: int) -> None:
    with pytest.raises(OfferRefused) as refused:
        negotiation().take_offer(sdp)
    assert refused.value.status == status


def test_other_streams_are_refused_with_port_0_in_their_place() -> None:
    leg = negotiation()
    video = b"m=video 5000 RTP/SAVP 96 97\r\n"
    leg.take_offer(
        offer(CM).replace(b"m=audio", video + b"m=audio") + b"m=image 6000 udptl t38\r\n"
    )

    media = parse(leg.make_answer()).media

    assert [(m.kind, m.port) for m in media] == [("video", 0), ("audio", 20_000), ("image", 0)]


def test_of_two_audio_streams_the_one_with_keys_is_taken() -> None:
    leg = negotiation()
    plain = b"m=audio 5000 RTP/AVP 0\r\n"
    leg.take_offer(offer(CM).replace(b"m=audio", plain + b"m=audio"))

    assert [m.port for m in parse(leg.make_answer()).media] == [0, 20_000]


def test_the_answer_is_the_same_until_there_is_another_offer() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM))
    first = leg.make_answer()

    assert leg.make_answer(direction="sendonly") == first


def test_a_key_offered_again_unchanged_is_the_same_key_and_ours_stays_too() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM))
    leg.make_answer()
    before = leg.agreed
    leg.take_offer(offer(CM))
    leg.make_answer()

    assert before is not None and leg.agreed is not None
    assert leg.agreed.keys.theirs == before.keys.theirs
    assert leg.agreed.keys.ours == before.keys.ours


def test_the_version_grows_when_and_only_when_the_description_changes() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM))
    first = parse(leg.make_answer())
    leg.take_offer(offer(CM))
    same = parse(leg.make_answer())
    leg.take_offer(offer(CM, "a=sendonly"))
    other = parse(leg.make_answer())

    assert (first.version, same.version, other.version) == (1, 1, 2)
    assert first.session_id == other.session_id


@pytest.mark.parametrize(
    ("theirs", "wanted", "ours"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
    ],
)
def test_the_direction_mirrors_the_offer(theirs: str, wanted: str, ours: str) -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, f"a={theirs}"))

    assert f"a={ours}\r\n".encode() in leg.make_answer(direction=wanted)  # type: ignore[arg-type]


def test_the_old_form_of_hold_is_understood() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, address="0.0.0.0"))  # noqa: S104 - no address, not every one

    assert b"a=recvonly" in leg.make_answer()
    assert leg.agreed is not None and leg.agreed.remote.address is None


def test_a_phone_whose_candidates_come_later_holds_nothing() -> None:
    leg = negotiation()
    later = offer(CM, address="0.0.0.0").replace(b"m=audio 4000", b"m=audio 9")  # noqa: S104
    leg.take_offer(later)

    assert b"a=sendrecv" in leg.make_answer()


@pytest.mark.parametrize("ptime", ["20.5", "abc", "9999", "0"])
def test_packets_of_another_length_than_whole_milliseconds_are_the_phones_own_wish(
    ptime: str,
) -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, f"a=ptime:{ptime}"))

    assert b"ptime" not in leg.make_answer()


def test_an_answer_alone_takes_one_codec_we_can_play_and_the_phones_events() -> None:
    leg = negotiation()
    leg.take_offer(offer("a=rtpmap:96 opus/48000/2", CM, "a=ptime:30", formats="96 8 0 101"))

    text = leg.make_answer().decode()

    assert "m=audio 20000 RTP/SAVP 8 101\r\n" in text
    assert "a=ptime:30" in text


def test_an_answer_like_another_leg_takes_that_legs_codecs_under_the_phones_numbers() -> None:
    leg = negotiation()
    leg.take_offer(offer("a=rtpmap:96 opus/48000/2", CM, "a=rtpmap:102 PCMA/8000", formats="0 102"))

    assert b"m=audio 20000 RTP/SAVP 102\r\n" in leg.make_answer({8: PCMA})


@pytest.mark.parametrize(
    ("theirs", "others", "said"),
    [
        ("", "annexb = no", "annexb=no"),
        ("annexb=no", "", "annexb=no"),
        ("annexb=yes", "", "annexb=yes"),
    ],
)
def test_silence_of_g729_is_described_to_no_phone_that_does_without(
    theirs: str, others: str, said: str
) -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, *([f"a=fmtp:18 {theirs}"] if theirs else []), formats="18"))

    text = leg.make_answer({18: Codec("g729", fmtp=others)}).decode()

    assert f"a=fmtp:18 {said}\r\n" in text


def test_without_a_common_codec_one_is_taken_that_we_can_make_over() -> None:
    leg = negotiation()
    leg.take_offer(offer("a=rtpmap:96 opus/48000/2", CM, formats="96 9 101"))
    assert b"m=audio 20000 RTP/SAVP 9 101\r\n" in leg.make_answer({8: PCMA})

    only = negotiation()
    only.take_offer(offer("a=rtpmap:96 opus/48000/2", CM, formats="96 101"))
    assert b"m=audio 20000 RTP/SAVP 96 101\r\n" in only.make_answer({8: PCMA})


def test_an_offer_like_another_leg_adds_what_its_codecs_can_be_made_into() -> None:
    events = Codec("telephone-event")
    assert list(with_coded({18: Codec("g729"), 101: events})) == [18, 101]
    assert list(with_coded({8: PCMA, 18: Codec("g729"), 101: events})) == [8, 18, 0, 9, 107, 101]
    taken = {n: Codec(f"x{n}") for n in range(96, 128)} | {0: PCMU}
    assert list(with_coded(taken))[-2:] == [8, 9]


def test_no_codec_in_common_is_488() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, formats="18 101"))

    with pytest.raises(OfferRefused, match="codec") as refused:
        leg.make_answer({8: PCMA})
    assert refused.value.warning == 305


def test_rtcp_mux_is_answered_when_offered() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, "a=rtcp-mux"))

    assert b"a=rtcp-mux" in leg.make_answer()


def test_the_rtcp_port_is_the_named_or_the_next_one() -> None:
    for line, port in (("a=rtcp:4010 IN IP4 192.0.2.9", 4010), ("a=x", 4001)):
        leg = negotiation()
        leg.take_offer(offer(CM, line))
        leg.make_answer()
        assert leg.agreed is not None and leg.agreed.remote.rtcp_port == port


def test_ipv6_is_announced_as_such() -> None:
    leg = Negotiation("2001:db8::1", 20_000, Fingerprint.of(b"ours"), Manner(feedback=True))

    assert b"c=IN IP6 2001:db8::1\r\n" in leg.make_offer()
    assert b"m=audio 20000 RTP/SAVPF 0 8 9 101" in leg.make_offer()


# --- we offer


def test_our_offer_has_three_suites_with_three_keys_in_order_of_preference() -> None:
    text = negotiation().make_offer().decode()

    lines = re.findall(r"a=crypto:(\d) (\S+) inline:(\S+)", text)
    assert [(tag, suite) for tag, suite, _ in lines] == [
        ("1", AEAD_AES_256_GCM.name),
        ("2", AEAD_AES_128_GCM.name),
        ("3", AES_CM_128_HMAC_SHA1_80.name),
    ]
    assert len({key for _, _, key in lines}) == 3


def test_two_legs_never_share_a_key() -> None:
    keys = [re.findall(r"inline:(\S+)", negotiation().make_offer().decode()) for _ in range(2)]

    assert not set(keys[0]) & set(keys[1])


def test_an_answer_gives_payload_types_for_each_way() -> None:
    leg = negotiation()
    ours = leg.make_offer()

    leg.take_answer(reply(ours))

    assert leg.agreed is not None
    assert leg.agreed.voice == (0, PCMU)
    assert sorted(leg.agreed.receive) == [0, 101]
    assert sorted(leg.agreed.send) == [0, 120]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.replace(b"a=crypto:1", b"a=crypto:2"), "suite or tag"),
        (lambda s: s.replace(b"a=crypto:1", b"a=crypto:9"), "suite or tag"),
        (lambda s: s.replace(b"AEAD_AES_256_GCM", b"AES_256_CM_HMAC_SHA1_80"), "suite"),
        (lambda s: s.replace(GCM44.encode(), CM30.encode()), "length"),
        (lambda s: re.sub(rb"a=crypto.*\r\n", b"", s), "no a=crypto line"),
        (lambda s: s.replace(b"RTP/SAVP", b"RTP/AVP"), "transport"),
        (lambda s: s.replace(b"RTP/SAVP", b"RTP/SAVPF"), "transport"),
        (lambda s: s.replace(b"audio 4000", b"audio 0"), "refused"),
        (lambda s: s.replace(b"m=audio", b"m=video"), "refused"),
        (lambda s: s + b"m=audio 5000 RTP/SAVP 0\r\n", "as many streams"),
        (lambda s: s.replace(b"SAVP 0 120", b"SAVP 18"), "codec"),
        (lambda s: s + f"a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{CM30}\r\n".encode(), "one"),
        (lambda s: s[:40], "c?[vosct]"),
    ],
)
def test_an_answer_that_was_not_offered_is_refused(change, reason: str) -> None:
    leg = negotiation()
    answer = change(reply(leg.make_offer()))

    with pytest.raises(AnswerRefused, match=reason):
        leg.take_answer(answer)
    assert leg.agreed is None


def test_our_own_key_sent_back_is_refused() -> None:
    leg = negotiation()
    ours = leg.make_offer()
    mine = re.findall(rb"AEAD_AES_256_GCM inline:(\S+)", ours)[0].decode()

    with pytest.raises(AnswerRefused, match="own key"):
        leg.take_answer(reply(ours, key=mine))


def test_the_same_answer_again_changes_nothing_and_another_counts_instead() -> None:
    leg = negotiation()
    answer = reply(leg.make_offer())
    leg.take_answer(answer)
    agreed = leg.agreed

    leg.take_answer(answer)
    assert leg.agreed is agreed
    leg.take_answer(answer.replace(b"4000", b"5000"))  # a 200 that is not what the 183 was
    assert leg.agreed is not None and leg.agreed.remote.port == 5000
    with pytest.raises(AnswerRefused, match="not offered"):
        leg.take_answer(answer.replace(b"crypto:1", b"crypto:7"))
    assert leg.agreed.remote.port == 5000


def test_an_answer_to_nothing_is_refused() -> None:
    leg = negotiation()
    with pytest.raises(AnswerRefused, match="without an offer"):
        leg.take_answer(offer(CM))

    answer = reply(leg.make_offer())
    leg.take_answer(answer)
    leg.take_offer(offer(CM))
    leg.make_answer()
    with pytest.raises(AnswerRefused, match="without an offer"):
        leg.take_answer(answer.replace(b"4000", b"5000"))


def test_a_re_offer_of_ours_keeps_suite_key_and_numbers() -> None:
    leg = negotiation()
    first = leg.make_offer()
    leg.take_answer(reply(first))

    again = leg.make_offer({0: PCMU, 8: PCMA}).decode()

    assert re.findall(r"a=crypto:(\d) (\S+)", again) == [("1", "AEAD_AES_256_GCM")]
    assert re.findall(r"GCM inline:(\S+)", again)[0] in first.decode()
    assert "m=audio 20000 RTP/SAVP 0 8 9 107\r\n" in again
    assert "a=rtpmap:107 opus/48000/2\r\n" in again


def test_a_re_offer_keeps_the_places_of_refused_streams() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM).replace(b"m=audio", b"m=video 5000 RTP/SAVP 96\r\nm=audio"))
    leg.make_answer()

    assert [m.port for m in parse(leg.make_offer()).media] == [0, 20_000]


def test_a_withdrawn_offer_leaves_what_was_agreed() -> None:
    leg = negotiation()
    leg.take_answer(reply(leg.make_offer()))
    agreed = leg.agreed
    leg.make_offer(direction="sendonly")
    leg.withdraw()

    assert leg.agreed is agreed
    leg.take_offer(offer(CM))  # no glare left


def test_glare_is_our_own_mistake() -> None:
    leg = negotiation()
    leg.make_offer()
    with pytest.raises(Misuse):
        leg.take_offer(offer(CM))
    other = negotiation()
    other.take_offer(offer(CM))
    with pytest.raises(Misuse):
        other.make_offer()
    with pytest.raises(Misuse):
        negotiation().make_answer()


def test_static_payload_types_need_no_rtpmap() -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, formats="9 0 8").replace(b"a=rtpmap:101 telephone-event/8000", b"a=x"))

    assert b"m=audio 20000 RTP/SAVP 9\r\n" in leg.make_answer()
    assert sorted(leg.codecs()) == [9]


def test_the_codecs_of_a_leg_are_those_offered_then_those_agreed() -> None:
    leg = negotiation()
    assert leg.codecs() == {}
    leg.take_offer(offer(CM))
    assert sorted(leg.codecs()) == [0, 8, 101]
    leg.make_answer()
    assert sorted(leg.codecs()) == [0, 101]


@pytest.mark.parametrize("address", ["1.2.3", "1.2.3.4.5", "999.1.1.1"])
def test_an_address_that_is_none_is_learnt_from_packets_instead(address: str) -> None:
    leg = negotiation()
    leg.take_offer(offer(CM, address=address))
    leg.make_answer()

    assert leg.agreed is not None
    assert leg.agreed.remote.address is None
