"""Challenges and credentials as fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.credentials import LONGEST, Challenge, Credentials, is_digest
from pbx.sip.errors import LocalError, PeerError

TEXTS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)
TOKENS = st.text("abcXYZ019-.", min_size=1, max_size=12)
FULL = (
    'Digest username="a", realm="r", nonce="n", uri="sip:r", response="0f",'
    ' algorithm=SHA-256, cnonce="c", qop=auth, nc=0000000A, opaque="o"'
)


@given(
    st.builds(
        Credentials,
        username=TEXTS,
        realm=TEXTS,
        nonce=TEXTS,
        uri=TEXTS,
        response=TEXTS,
        algorithm=TOKENS,
        cnonce=st.none() | TEXTS,
        nc=st.none() | st.integers(0, 2**32 - 1),
        qop=st.none() | TOKENS.map(str.lower),
        opaque=st.none() | TEXTS,
    )
)
def test_credentials_read_as_they_were_written(credentials: Credentials) -> None:
    assert Credentials.parse(str(credentials)) == credentials


@given(
    st.builds(
        Challenge,
        realm=TEXTS,
        nonce=TEXTS,
        algorithm=TOKENS,
        qop=st.lists(TOKENS.map(str.lower), min_size=1).map(tuple),
        opaque=st.none() | TEXTS,
        is_stale=st.booleans(),
    )
)
def test_a_challenge_reads_as_it_was_written(challenge: Challenge) -> None:
    assert Challenge.parse(str(challenge)) == challenge


def test_phones_forget_quotes_and_algorithms() -> None:
    full = Credentials.parse(FULL)
    loose = Credentials.parse(
        'digest\tUSERNAME = "a",realm="r" , nonce=n, uri=sip:r,response=0f,'
        'algorithm="SHA-256", cnonce=c,qop="AUTH",nc=0000000a,opaque=o'
    )

    assert loose == full
    short = Credentials.parse('Digest username="a", realm="r", nonce="n", uri="u", response="0"')
    assert (short.algorithm, short.qop, short.nc, short.cnonce) == ("MD5", None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Digest",
        "Digest ",
        "Basic YTpi",
        'Digest username="a"',
        FULL + ",",
        FULL + ', nonce="m"',
        FULL + ", Digest realm=x",
        FULL + ' x="',
        FULL + ", username*=\"UTF-8''a\"",
        FULL + ", userhash=true",
        FULL.replace("0000000A", "1"),
        FULL.replace("0000000A", "0000000g"),
        FULL.replace('"n"', '"' + "n" * (LONGEST + 1) + '"'),
    ],
)
def test_broken_credentials_are_refused(text: str) -> None:
    with pytest.raises(PeerError, match=r"^Authorization: "):
        Credentials.parse(text)


@pytest.mark.parametrize("text", ["", 'Digest realm="r"', 'Digest nonce="n"', "Basic realm=r"])
def test_a_broken_challenge_is_refused(text: str) -> None:
    with pytest.raises(PeerError, match=r"^WWW-Authenticate: "):
        Challenge.parse(text)


def test_a_challenge_without_qop_has_none_we_use() -> None:
    challenge = Challenge.parse('Digest realm="r", nonce="n", stale=TRUE')

    assert (challenge.qop, challenge.is_stale, challenge.algorithm) == (("",), True, "MD5")


def test_the_scheme_is_recognised_without_parsing() -> None:
    assert is_digest("DIGEST x")
    assert not is_digest("Digested x")
    assert not is_digest("Basic x")


def test_a_line_end_is_not_written() -> None:
    with pytest.raises(LocalError):
        str(Challenge(realm="a\r\nb", nonce="n"))
