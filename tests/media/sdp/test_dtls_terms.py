"""RFC 5763 and RFC 8842: what a description says of a handshake."""

import pytest

from media.sdp.dtls_terms import DtlsTerms, Unusable, read
from media.sdp.fingerprint import Fingerprint
from media.sdp.model import Attribute, Connection, Media, SessionDescription

STRONG = Fingerprint.of(b"one certificate")
OTHER = Fingerprint.of(b"another", "sha-384")
WEAK = "sha-1 " + ":".join(["00"] * 20)


def described(*of_media: tuple[str, str], session: tuple[tuple[str, str], ...] = ()) -> tuple:  # type: ignore[type-arg]
    attributes = tuple(Attribute(*pair) for pair in of_media)
    media = Media("audio", 4000, "UDP/TLS/RTP/SAVP", ("0",), None, attributes)
    where = Connection("192.0.2.1", 4)
    head = tuple(Attribute(*pair) for pair in session)
    return SessionDescription("1", 1, where, (media,), head), media


def test_terms_stand_at_the_stream_or_at_the_session() -> None:
    lines = (("fingerprint", str(STRONG)), ("setup", "actpass"), ("tls-id", "x" * 20))
    expected = DtlsTerms(frozenset({STRONG}), "actpass", "x" * 20)

    assert read(*described(*lines), "active") == expected
    assert read(*described(session=lines), "active") == expected
    over = read(*described(("setup", "passive"), session=lines), "active")
    assert over is not None and over.setup == "passive"


def test_an_unsaid_setup_is_what_rfc_4145_says() -> None:
    for unsaid in ("active", "passive"):
        terms = read(*described(("fingerprint", str(STRONG))), unsaid)
        assert terms is not None and terms.setup == unsaid


def test_without_a_fingerprint_there_are_no_terms() -> None:
    assert read(*described(("setup", "actpass")), "active") is None


def test_a_weak_fingerprint_is_passed_over_beside_strong_ones_and_refused_alone() -> None:
    strong = [("fingerprint", str(STRONG)), ("fingerprint", str(OTHER))]
    terms = read(*described(("fingerprint", WEAK), *strong), "active")
    assert terms is not None and terms.fingerprints == {STRONG, OTHER}

    with pytest.raises(Unusable, match="SHA-256 or better"):
        read(*described(("fingerprint", WEAK)), "active")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([("setup", "holdconn")], "setup"),
        ([("tls-id", "x" * 256)], "tls-id"),
        ([("fingerprint", str(STRONG))] * 8, "too many"),
    ],
)
def test_what_cannot_come_to_a_handshake_is_refused(
    lines: list[tuple[str, str]], reason: str
) -> None:
    good = ("fingerprint", str(STRONG))
    assert read(*described(good), "active") is not None
    with pytest.raises(Unusable, match=reason):
        read(*described(good, *lines), "active")
