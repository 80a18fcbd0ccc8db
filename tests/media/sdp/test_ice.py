"""RFC 8839 for an agent that is always lite."""

import re

import pytest

from media.errors import OfferRefused
from media.sdp import ice
from media.sdp.fingerprint import Fingerprint
from media.sdp.ice import Credentials, Ice
from media.sdp.offer_answer import Negotiation
from media.values import Manner

OURS, THEIRS = Fingerprint.of(b"ours"), Fingerprint.of(b"theirs")
UFRAG, PASSWORD = "a=ice-ufrag:evtj", "a=ice-pwd:VOkJxbRl1RmTxUk/WvJxBt"
HOST = "a=candidate:1 1 UDP 2130706431 192.0.2.9 4000 typ host"
ELSEWHERE = "a=candidate:1 1 UDP 2130706431 10.0.0.7 4000 typ host"
KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40
BROWSER = Manner(keying="dtls", ice=True, muxed=True)


def described(*lines: str, session: tuple[str, ...] = (), port: int = 4000) -> bytes:
    head = ["v=0", "o=- 5 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0", *session]
    return ("\r\n".join([*head, f"m=audio {port} RTP/SAVP 0", KEY, *lines]) + "\r\n").encode()


def negotiation(manner: Manner = Manner()) -> Negotiation:  # noqa: B008 - a frozen value
    return Negotiation("198.51.100.1", 20_000, OURS, manner)


def agreed(leg: Negotiation) -> Ice:
    assert leg.agreed is not None and leg.agreed.ice is not None
    return leg.agreed.ice


def answer(leg: Negotiation, sdp: bytes) -> str:
    leg.take_offer(sdp)
    return leg.make_answer().decode()


def test_an_offer_with_ice_is_answered_with_host_candidates_of_a_lite_agent() -> None:
    leg = negotiation()

    text = answer(leg, described(UFRAG, PASSWORD, HOST))

    head, _, stream = text.partition("m=")
    assert "a=ice-lite\r\na=ice-options:ice2" in head
    assert re.findall(r"a=candidate:(.*)\r", stream) == [
        "1 1 UDP 2130706431 198.51.100.1 20000 typ host",
        "1 2 UDP 2130706430 198.51.100.1 20001 typ host",
    ]
    checks = agreed(leg)
    assert checks.theirs == Credentials("evtj", "VOkJxbRl1RmTxUk/WvJxBt")
    assert f"a=ice-ufrag:{checks.ours.ufrag}\r" in stream
    assert f"a=ice-pwd:{checks.ours.password}\r" in stream
    assert checks.username == f"{checks.ours.ufrag}:evtj"
    assert checks.ours.password not in repr(checks)


def test_a_shared_port_has_one_candidate_and_credentials_may_stand_above() -> None:
    text = answer(negotiation(), described("a=rtcp-mux", HOST, session=(UFRAG, PASSWORD)))
    assert text.count("a=candidate") == 1


@pytest.mark.parametrize(
    ("lines", "is_taken", "says_mismatch"),
    [
        ((UFRAG, PASSWORD, HOST), True, False),
        ((UFRAG, PASSWORD), True, False),
        ((UFRAG, PASSWORD, ELSEWHERE), False, True),
        ((UFRAG, PASSWORD, ELSEWHERE, HOST), True, False),
        ((UFRAG, PASSWORD, "a=candidate:1 2 UDP 1 192.0.2.1 1 typ host"), True, False),
        ((UFRAG, PASSWORD, "a=candidate:too short"), True, False),
        ((UFRAG, HOST), False, False),
        ((PASSWORD, HOST), False, False),
    ],
)
def test_where_candidates_and_address_differ_we_go_without(
    lines: tuple[str, ...], is_taken: bool, says_mismatch: bool
) -> None:
    leg = negotiation()
    text = answer(leg, described(*lines))

    assert leg.agreed is not None
    assert (leg.agreed.ice is not None) == is_taken == ("a=ice-lite" in text)
    assert ("a=ice-mismatch" in text) == says_mismatch


def test_candidates_that_come_later_are_no_mismatch() -> None:
    leg = negotiation()
    answer(leg, described(UFRAG, PASSWORD, ELSEWHERE, port=9))
    assert agreed(leg)


def test_a_phone_that_is_lite_itself_shows_the_way_by_its_packets() -> None:
    leg = negotiation()
    text = answer(leg, described(UFRAG, PASSWORD, HOST, session=("a=ice-lite",)))
    assert leg.agreed is not None and leg.agreed.ice is None
    assert "ice" not in text


@pytest.mark.parametrize("bad", ["a=ice-ufrag:evt", "a=ice-ufrag:ev j", "a=ice-ufrag:" + "e" * 257])
def test_credentials_are_of_the_rfcs_letters_and_lengths(bad: str) -> None:
    answer(negotiation(), described(UFRAG, PASSWORD))
    with pytest.raises(OfferRefused, match="ice-ufrag"):
        negotiation().take_offer(described(bad, PASSWORD))
    with pytest.raises(OfferRefused, match="ice-pwd"):
        negotiation().take_offer(described(UFRAG, "a=ice-pwd:short"))


def test_a_reoffer_keeps_our_credentials_and_a_restart_changes_them() -> None:
    leg = negotiation()
    answer(leg, described(UFRAG, PASSWORD, HOST))
    first = agreed(leg)
    answer(leg, described(UFRAG, PASSWORD, HOST))
    assert agreed(leg) == first
    assert f"a=ice-pwd:{first.ours.password}".encode() in leg.make_offer()
    leg.withdraw()

    answer(leg, described("a=ice-ufrag:new1", PASSWORD + "2", HOST))

    assert agreed(leg).ours.ufrag != first.ours.ufrag
    assert agreed(leg).ours.password != first.ours.password


def test_only_a_phone_that_needs_ice_is_offered_it() -> None:
    assert b"ice" not in negotiation(Manner(ice=True)).make_offer()
    leg = negotiation(BROWSER)
    offer = leg.make_offer().decode()
    assert "a=ice-lite" in offer and offer.count("a=candidate") == 1

    body = described("a=rtcp-mux", UFRAG, PASSWORD, HOST, f"a=fingerprint:{THEIRS}")
    leg.take_answer(body.replace(b"RTP/SAVP", b"UDP/TLS/RTP/SAVP"))
    assert f"a=ice-ufrag:{agreed(leg).ours.ufrag}\r" in offer

    for lines in ((), (UFRAG, PASSWORD, ELSEWHERE)):
        other = negotiation(BROWSER)
        other.make_offer()
        body = described(*lines, f"a=fingerprint:{THEIRS}")
        other.take_answer(body.replace(b"RTP/SAVP", b"UDP/TLS/RTP/SAVP"))
        assert other.agreed is not None and other.agreed.ice is None


def test_fresh_credentials_are_random_and_long_enough() -> None:
    one, other = ice.fresh(), ice.fresh()
    assert one != other
    assert len(one.ufrag) >= 4 and len(one.password) >= 22
    assert ice.LETTERS.issuperset(one.ufrag + one.password)
