"""RFC 5763 in offers and answers: who begins, when an association stands, what is not taken."""

import re

import pytest

from media.errors import AnswerRefused, OfferRefused
from media.sdp.dtls_terms import Dtls
from media.sdp.fingerprint import Fingerprint
from media.sdp.offer_answer import Negotiation
from media.values import Manner

OURS, THEIRS, NEW = (Fingerprint.of(name) for name in (b"ours", b"theirs", b"new"))
PRINT = f"a=fingerprint:{THEIRS}"
KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40
ID = "a=tls-id:" + "i" * 20
DTLS = Manner(keying="dtls", feedback=True)


def described(*lines: str, protocol: str = "UDP/TLS/RTP/SAVPF") -> bytes:
    head = ["v=0", "o=- 5 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0"]
    return ("\r\n".join([*head, f"m=audio 4000 {protocol} 0", *lines]) + "\r\n").encode()


def negotiation(manner: Manner = Manner()) -> Negotiation:  # noqa: B008 - a frozen value
    return Negotiation("198.51.100.1", 20_000, OURS, manner)


def keys(leg: Negotiation) -> Dtls:
    assert leg.agreed is not None and isinstance(leg.agreed.keys, Dtls)
    return leg.agreed.keys


def answer(leg: Negotiation, *lines: str) -> str:
    leg.take_offer(described(*lines))
    return leg.make_answer().decode()


@pytest.mark.parametrize(
    "protocol", ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/SAVP", "RTP/SAVPF"]
)
def test_the_answer_keeps_the_transport_and_names_our_certificate(protocol: str) -> None:
    leg = negotiation()
    leg.take_offer(described(PRINT, "a=setup:actpass", ID, protocol=protocol))

    text = leg.make_answer().decode()

    assert f"m=audio 20000 {protocol} 0" in text
    assert f"a=fingerprint:{OURS}" in text
    assert "a=crypto" not in text
    assert keys(leg).fingerprints == {THEIRS}


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active"), (None, "passive")],
)
def test_the_phone_begins_where_it_may(offered: str | None, answered: str) -> None:
    leg = negotiation()

    text = answer(leg, PRINT, *([f"a=setup:{offered}"] if offered else []))

    assert f"a=setup:{answered}" in text
    assert keys(leg).is_active == (answered == "active")
    assert "tls-id" not in text  # RFC 8842 §5.3: it was not offered


def test_a_reoffer_with_nothing_new_keeps_the_association_and_its_roles() -> None:
    leg = negotiation()
    answer(leg, PRINT, "a=setup:passive", ID)
    before = keys(leg)

    text = answer(leg, PRINT, "a=setup:actpass", ID)

    assert "a=setup:active" in text
    assert keys(leg) == before


def test_another_certificate_identity_or_role_asks_for_another_association() -> None:
    leg = negotiation()
    first = answer(leg, PRINT, "a=setup:actpass", ID)
    found = [keys(leg)]
    texts = [first]
    for lines in (
        (PRINT, "a=setup:actpass", ID + "2"),
        (f"a=fingerprint:{NEW}", "a=setup:actpass", ID + "2"),
        (f"a=fingerprint:{NEW}", "a=setup:passive", ID + "2"),
    ):
        texts.append(answer(leg, *lines))
        assert keys(leg) != found[-1]
        found.append(keys(leg))
    ids = [re.findall(r"a=tls-id:(\S+)", text)[0] for text in texts]
    assert ids[0] != ids[1] == ids[2]
    assert all(len(value) >= 20 for value in ids)


def test_a_phone_may_change_between_crypto_lines_and_handshakes() -> None:
    leg = negotiation()
    answer(leg, PRINT, "a=setup:actpass")
    leg.take_offer(described(KEY, protocol="RTP/SAVP"))
    assert b"a=crypto" in leg.make_answer()
    assert b"a=crypto" in leg.make_offer()
    leg.withdraw()

    answer(leg, PRINT, "a=setup:actpass")

    offer = leg.make_offer().decode()
    assert "a=setup:actpass" in offer and "a=crypto" not in offer
    assert "m=audio 20000 UDP/TLS/RTP/SAVPF" in offer


def test_a_crypto_line_is_taken_before_a_fingerprint_where_the_transport_leaves_it_open() -> None:
    leg = negotiation()
    leg.take_offer(described(KEY, PRINT, "a=setup:actpass", protocol="RTP/SAVP"))
    assert b"a=crypto:1" in leg.make_answer()

    weak = KEY.replace("SHA1_80", "SHA1_32")
    leg.take_offer(described(weak, PRINT, "a=setup:actpass", protocol="RTP/SAVP"))
    assert b"a=fingerprint" in leg.make_answer()

    leg.take_offer(described(KEY, PRINT, "a=setup:actpass"))
    assert b"a=fingerprint" in leg.make_answer()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((KEY,), "no a=fingerprint line"),
        (("a=fingerprint:sha-1 " + ":".join(["00"] * 20),), "SHA-256 or better"),
        ((PRINT, "a=setup:holdconn"), "setup"),
    ],
)
def test_an_offer_that_cannot_be_sealed_is_488(lines: tuple[str, ...], reason: str) -> None:
    answer(negotiation(), PRINT)
    with pytest.raises(OfferRefused, match=reason) as refused:
        negotiation().take_offer(described(*lines))
    assert refused.value.status == 488


def test_our_offer_is_of_the_phones_manner() -> None:
    plain, wanted = negotiation(), negotiation(Manner(keying="dtls", muxed=True))

    assert b" RTP/SAVP " in plain.make_offer() and b"a=crypto" in plain.make_offer()
    assert not plain.asks_for_handshake
    offer = wanted.make_offer().decode()

    assert " UDP/TLS/RTP/SAVP " in offer
    assert "a=setup:actpass" in offer and "a=tls-id:" in offer and "a=rtcp-mux" in offer
    assert "a=crypto" not in offer
    assert wanted.asks_for_handshake
    wanted.take_answer(described(PRINT, "a=setup:active", protocol="UDP/TLS/RTP/SAVP"))
    assert not wanted.asks_for_handshake
    assert wanted.agreed is not None and not wanted.agreed.muxed


@pytest.mark.parametrize(("setup", "is_active"), [("active", False), ("passive", True), ("", True)])
def test_the_answer_decides_who_begins(setup: str, is_active: bool) -> None:
    leg = negotiation(DTLS)
    leg.make_offer()

    leg.take_answer(described(PRINT, *([f"a=setup:{setup}"] if setup else [])))

    assert keys(leg).is_active == is_active


@pytest.mark.parametrize(
    "sdp",
    [
        described(PRINT, "a=setup:actpass"),
        described(KEY),
        described("a=setup:active"),
        described(KEY, protocol="RTP/SAVPF"),
        described(PRINT, "a=setup:active", protocol="UDP/TLS/RTP/SAVP"),
        described("a=fingerprint:sha-1 " + ":".join(["00"] * 20), "a=setup:active"),
    ],
)
def test_an_answer_that_was_not_offered_is_a_failed_call(sdp: bytes) -> None:
    good = negotiation(DTLS)
    good.make_offer()
    good.take_answer(described(PRINT, "a=setup:active"))

    leg = negotiation(DTLS)
    leg.make_offer()
    with pytest.raises(AnswerRefused):
        leg.take_answer(sdp)


def test_a_fingerprint_does_not_answer_crypto_lines_nor_a_key_a_handshake() -> None:
    leg = negotiation()
    leg.make_offer()
    with pytest.raises(AnswerRefused, match="crypto line"):
        leg.take_answer(described(PRINT, "a=setup:active", protocol="RTP/SAVP"))

    other = negotiation()
    answer_text = described(PRINT, "a=setup:actpass", protocol="RTP/SAVP")
    other.take_offer(answer_text)
    other.make_answer()
    other.make_offer()
    with pytest.raises(AnswerRefused, match="handshake was offered"):
        other.take_answer(described(KEY, protocol="RTP/SAVP"))


def test_the_manner_is_the_phones_own() -> None:
    leg = negotiation()
    assert leg.manner() == Manner()
    leg.take_offer(described(PRINT, "a=setup:actpass", "a=rtcp-mux"))
    assert leg.manner() == Manner(keying="dtls", feedback=True, muxed=True)
