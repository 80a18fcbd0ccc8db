"""Our parser and PyPI's `sipmessage` read generated messages alike.

Where they differ on purpose is written down below: sipmessage is the more lenient one, and in each
case leniency lets two readers of one message disagree.
"""

from __future__ import annotations

import pytest
import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.errors import PeerError
from pbx.sip.message import Request, Response
from pbx.sip.parser import parse_message
from pbx.sip.uri import SipUri

# No "%": sipmessage undoes escapes in the parameters of fields too, where there are none.
WORD = st.text("abcdefXYZ0189-.!*_+'~", min_size=1, max_size=12)
NAME = st.text("abcdxyz019", min_size=1, max_size=8)
HOST = st.sampled_from(["b.example", "192.0.2.1", "[2001:db8::1]", "localhost"])
PORT = st.none() | st.integers(1, 65535)
DISPLAY = st.none() | st.text("abc ,;<>@é", min_size=1, max_size=10).map(str.strip).filter(bool)


@st.composite
def hostports(draw: st.DrawFn) -> str:
    port = draw(PORT)
    return draw(HOST) + ("" if port is None else f":{port}")


@st.composite
def parameters(draw: st.DrawFn, *reserved: str) -> str:
    names = draw(st.lists(NAME.filter(lambda name: name not in reserved), max_size=3, unique=True))
    return "".join(f";p{name}" + draw(st.just("") | WORD.map("={}".format)) for name in names)


@st.composite
def uris(draw: st.DrawFn) -> str:
    user = draw(st.none() | st.text("abc019-_.!~*'()&=+$,", min_size=1, max_size=8))
    return f"sip:{'' if user is None else user + '@'}{draw(hostports())}"


@st.composite
def addresses(draw: st.DrawFn, tag: bool = True) -> str:
    display = draw(DISPLAY)
    text = f"<{draw(uris())}>" if display is None else f'"{display}" <{draw(uris())}>'
    return text + (f";tag={draw(WORD)}" if tag and draw(st.booleans()) else "")


@st.composite
def heads(draw: st.DrawFn) -> str:
    method = draw(st.sampled_from(["INVITE", "REGISTER", "BYE", "OPTIONS"]))
    is_request = draw(st.booleans())
    start = f"{method} {draw(uris())} SIP/2.0" if is_request else "SIP/2.0 200 OK, why not?"
    lines = [f"Via: SIP/2.0/TLS {draw(hostports())};branch={draw(WORD)}{draw(parameters())}"]
    lines += [
        draw(st.sampled_from(["From", "f", "FROM"])) + f": {draw(addresses())}",
        draw(st.sampled_from(["To", "t", "to"])) + f": {draw(addresses())}",
        draw(st.sampled_from(["Call-ID", "i"])) + f": {draw(WORD)}@{draw(WORD)}",
        f"CSeq: {draw(st.integers(0, 2**31 - 1))} {method}",
        f"Max-Forwards: {draw(st.integers(0, 255))}",
    ]
    lines += [f"Contact: {draw(addresses(tag=False))}"] * draw(st.integers(0, 1))
    return "\r\n".join([start, *draw(st.permutations(lines))])


@settings(max_examples=120)
@given(heads(), st.binary(max_size=40))
def test_both_read_the_same(head: str, body: bytes) -> None:
    data = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    ours, theirs = parse_message(data), sipmessage.Message.parse(data)

    assert (ours.call_id, ours.body) == (theirs.call_id, theirs.body)
    assert (ours.cseq.number, ours.cseq.method) == (theirs.cseq.sequence, theirs.cseq.method)
    assert ours.max_forwards == theirs.max_forwards
    assert [(v.transport, v.host, v.port, v.branch) for v in ours.vias] == [
        (v.transport, v.host, v.port, v.parameters.get("branch")) for v in theirs.via
    ]
    for our, their in (
        (ours.from_, theirs.from_address),
        (ours.to, theirs.to_address),
        *zip(ours.contacts, theirs.contact, strict=True),
    ):
        # sipmessage makes one space of several inside a quoted string
        assert our.display.split() == their.name.split()
        assert our.tag == their.parameters.get("tag")
        assert isinstance(our.uri, SipUri)
        assert (our.uri.user, our.uri.host, our.uri.port) == (
            their.uri.user,
            their.uri.host,
            their.uri.port,
        )
    if isinstance(ours, Request):
        assert ours.method == theirs.method
    else:
        assert isinstance(ours, Response)
        assert (ours.status, ours.reason) == (theirs.code, theirs.phrase)


BASE = (
    "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
)

# What sipmessage 0.7.1 accepts and we refuse.
STRICTER = {
    "a repeated CSeq": BASE + "CSeq: 2 OPTIONS\r\nContent-Length: 0\r\n\r\n",
    "a repeated From": BASE + "From: <sip:c@d>;tag=2\r\nContent-Length: 0\r\n\r\n",
    "a repeated parameter": BASE.replace("branch=z", "branch=a;branch=z") + "l: 0\r\n\r\n",
    "a body of another length": BASE + "Content-Length: 2\r\n\r\nsix by",
    "no length at all": BASE + "\r\n",
    "a bare line feed": BASE + "Subject: a\nRoute: <sip:evil>\r\nContent-Length: 0\r\n\r\n",
    "another method in CSeq": BASE.replace("1 OPTIONS", "1 INVITE") + "l: 0\r\n\r\n",
}


@pytest.mark.parametrize("name", STRICTER)
def test_we_refuse_what_two_readers_could_read_differently(name: str) -> None:
    data = STRICTER[name].encode()

    with pytest.raises(PeerError):
        parse_message(data)


def test_we_read_what_the_grammar_allows_where_sipmessage_does_not() -> None:
    text = BASE.replace("tag=1", "tag=1;self=2").replace("From:", "From :\r\n ")
    contacts = 'Contact: "A, <b>" <sip:a@b>, "C" <sip:c@d>\r\nContent-Length: 0\r\n\r\n'

    message = parse_message((text + contacts).encode())

    assert message.from_.parameters == {"tag": "1", "self": "2"}
    assert [contact.display for contact in message.contacts] == ["A, <b>", "C"]
