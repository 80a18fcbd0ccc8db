"""One whole message from its bytes: torture messages of RFC 4475 and RFC 5118, and our rules."""

from __future__ import annotations

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.message import Request, Response, response_to
from pbx.sip.parser import MOST_FIELDS, parse_message
from tests.support.vectors import messages

RFC4475 = messages("rfc4475")
RFC5118 = messages("rfc5118")

WELL_FORMED, DISCARDED = 0, -1  # else: the status the RFC asks for

# What the parser makes of each message, when frames are messages (the RFCs think of UDP).
# Well-formed messages that the layers above refuse are marked with what these answer.
OUTCOMES = {
    "wsinv": WELL_FORMED,
    "intmeth": WELL_FORMED,
    "esc01": WELL_FORMED,
    "escnull": WELL_FORMED,
    "esc02": WELL_FORMED,
    "lwsdisp": WELL_FORMED,
    "longreq": WELL_FORMED,
    "dblreq": WELL_FORMED,  # the first request; the second is surplus
    "semiuri": WELL_FORMED,
    "transports": WELL_FORMED,
    "mpart01": WELL_FORMED,
    "unreason": WELL_FORMED,
    "noreason": WELL_FORMED,
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "scalarlg": DISCARDED,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "baddate": WELL_FORMED,  # the RFC allows to ignore a Date nobody reads
    "regbadct": WELL_FORMED,  # 400 by whoever reads Contact, see below
    "badaspec": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 400,  # or 501: the RFC allows both
    "bigcode": DISCARDED,
    "badbranch": WELL_FORMED,  # matched as by RFC 2543, a matter of transactions
    "insuf": 400,
    "unkscm": WELL_FORMED,  # 416 by the UAS
    "novelsc": WELL_FORMED,  # 416 by the UAS
    "unksm2": WELL_FORMED,  # 400 or 404 by the registrar
    "bext01": WELL_FORMED,  # 420 by the UAS
    "invut": WELL_FORMED,  # 415 by the UAS
    "regaut01": WELL_FORMED,  # 401 by the registrar
    "multi01": 400,
    "mcl01": 400,
    "bcast": WELL_FORMED,  # discarded by the transaction layer: its Via is not ours
    "zeromf": WELL_FORMED,  # 483 by a proxy; a UAS answers
    "cparam01": WELL_FORMED,
    "cparam02": WELL_FORMED,
    "regescrt": WELL_FORMED,
    "sdp01": WELL_FORMED,  # 406 by the UAS
    "inv2543": WELL_FORMED,
    "ipv6-good": WELL_FORMED,
    "ipv6-bad": 400,
    "port-ambiguous": WELL_FORMED,
    "port-unambiguous": WELL_FORMED,
    "via-received-param-with-delim": WELL_FORMED,
    "via-received-param-no-delim": WELL_FORMED,
    "ipv6-in-sdp": WELL_FORMED,
    "mult-ip-in-header": WELL_FORMED,
    "mult-ip-in-sdp": WELL_FORMED,
    "ipv4-mapped-ipv6": WELL_FORMED,
    "ipv6-bug-abnf-3-colons": WELL_FORMED,
    "ipv6-correct-abnf-2-colons": WELL_FORMED,
}

# A stream needs a right Content-Length (RFC 3261 section 18.3).
ON_A_STREAM = OUTCOMES | {"dblreq": 400, "inv2543": 400}


def outcome(data: bytes, *, stream: bool) -> int:
    try:
        parse_message(data, stream=stream)
    except PeerError as error:
        return DISCARDED if error.request is None else error.status
    return WELL_FORMED


def test_the_table_names_every_message() -> None:
    assert OUTCOMES.keys() == RFC4475.keys() | RFC5118.keys()
    assert (len(RFC4475), len(RFC5118)) == (49, 12)


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_torture_message_gets_the_outcome_its_rfc_asks_for(name: str) -> None:
    data = (RFC4475 | RFC5118)[name]

    assert outcome(data, stream=False) == OUTCOMES[name]
    assert outcome(data, stream=True) == ON_A_STREAM[name]


@pytest.mark.parametrize("name", [name for name in OUTCOMES if OUTCOMES[name] == WELL_FORMED])
def test_a_torture_message_survives_being_written(name: str) -> None:
    message = parse_message((RFC4475 | RFC5118)[name], stream=False)

    assert parse_message(message.encode()) == message


@pytest.mark.parametrize("name", [name for name in OUTCOMES if OUTCOMES[name] > 0])
def test_what_is_refused_can_be_answered(name: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_message((RFC4475 | RFC5118)[name])
    request = caught.value.request
    assert request is not None

    answer = response_to(request, caught.value.status, to_tag="x").encode()

    assert answer.startswith(b"SIP/2.0 %d " % caught.value.status)
    assert b"\r\nVia: SIP/" in answer


def torture(name: str) -> Request:
    message = parse_message((RFC4475 | RFC5118)[name], stream=False)
    assert isinstance(message, Request)
    return message


def test_a_short_tortuous_invite() -> None:
    wsinv = torture("wsinv")

    assert wsinv.to.tag == "1918181833n"
    assert (wsinv.from_.display, wsinv.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert (wsinv.max_forwards, wsinv.cseq.number) == (68, 9)
    assert [(via.transport, via.host, via.branch) for via in wsinv.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert wsinv.headers.first("Subject") == ""
    assert wsinv.headers.first("newFANGLEDheader") == "newfangled value continued newfangled value"
    assert wsinv.headers.first("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert wsinv.routes[0].uri_text == (
        "sip:services.example.com;lr;unknownwith=value;unknown-no-value"
    )
    assert wsinv.contacts[0].display == 'Quoted string ""'
    assert wsinv.contacts[0].parameters["secondparam"] is None
    assert wsinv.contacts[0].q == 0.33


def test_a_nul_in_a_quoted_pair_is_read_past_and_never_written() -> None:
    intmeth = torture("intmeth")

    assert intmeth.to.display == "BEL:\x07 NUL: DEL:\x7f"
    assert b"\0" not in intmeth.encode()
    assert b"\0" not in response_to(intmeth, 501, to_tag="x").encode()


def test_escapes_are_undone_where_they_are_escapes_and_nowhere_else() -> None:
    esc01, esc02, escnull = torture("esc01"), torture("esc02"), torture("escnull")

    assert (esc01.uri.user, esc01.uri.host) == ("sips:user@example.com", "example.net")
    contact = esc01.contacts[0].uri
    assert contact.parameters == {"lr": None, "name": "value%41"}
    assert (esc02.method, esc02.to.display) == ("RE%47IST%45R", "%Z%45")
    assert [c.uri_text for c in esc02.contacts] == [
        "sip:alias1@host1.example.com",
        "sip:alias3@host3.example.com",
    ]
    assert [c.uri.user for c in escnull.contacts] == ["\0", "\0\0"]


def test_a_semicolon_may_be_part_of_the_user() -> None:
    assert torture("semiuri").uri.user == "user;par=u@example.net"


def test_a_contact_with_headers_needs_angle_brackets() -> None:
    with pytest.raises(PeerError, match="Contact"):
        torture("regbadct").contacts  # noqa: B018
    assert torture("regescrt").contacts[0].uri.headers == (("Route", "<sip:sip.example.com>"),)


def test_parameters_after_a_bare_uri_belong_to_the_field() -> None:
    assert torture("cparam01").contacts[0].parameters == {"unknownparam": None}
    assert torture("cparam02").contacts[0].parameters == {}


def test_unknown_schemes_are_opaque() -> None:
    unksm2 = torture("unksm2")

    assert str(unksm2.to.uri) == "isbn:2983792873"
    assert str(torture("novelsc").uri) == "soap.beep://192.0.2.103:3002"


def test_ipv6_hosts_are_compared_in_one_spelling() -> None:
    three = torture("ipv6-bug-abnf-3-colons").uri
    two = torture("ipv6-correct-abnf-2-colons").uri

    assert three == two
    assert torture("port-ambiguous").uri.port is None
    assert torture("port-unambiguous").uri.port == 5070
    assert torture("via-received-param-no-delim").via.received == "2001:db8::9:255"


# ---- our rules -----------------------------------------------------------------------------

HEAD = (
    "OPTIONS sip:a@b SIP/2.0\r\n"
    "Via: SIP/2.0/TLS h;branch=z9hG4bK1\r\n"
    "From: <sip:a@b>;tag=1\r\n"
    "To: <sip:a@b>\r\n"
    "Call-ID: 1\r\n"
    "CSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n"
)


def refused(text: str | bytes, *, stream: bool = True) -> PeerError:
    with pytest.raises(PeerError) as caught:
        parse_message(text if isinstance(text, bytes) else text.encode(), stream=stream)
    return caught.value


def test_a_head_that_does_not_end_is_refused() -> None:
    assert refused(HEAD).header == "head"


@pytest.mark.parametrize("bad", ["\n", "\r", "\n\r", "X: a\nRoute: <sip:x>\r\n", "X: \rb\r\n"])
def test_cr_and_lf_stand_together_only(bad: str) -> None:
    assert refused(HEAD + bad + "\r\n").header == "head"


def test_nul_outside_a_quoted_pair_is_refused() -> None:
    assert refused(HEAD + "Subject: a\0b\r\n\r\n").header == "head"
    assert refused(HEAD + 'Subject: "\\\\\0"\r\n\r\n').header == "head"


def test_lines_are_counted() -> None:
    assert refused(HEAD + "X: 1\r\n" * MOST_FIELDS + "\r\n").header == "head"


def test_a_folded_line_is_one_line() -> None:
    message = parse_message((HEAD + "Subject: a\r\n\t b \r\n c\r\n\r\n").encode())

    assert message.headers.first("Subject") == "a b c"


def test_the_start_line_is_not_folded() -> None:
    assert refused(HEAD.replace("\r\n", "\r\n ", 1) + "\r\n").header == "start line"


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("no colon", "header name"),
        ("NoColon", "header line"),
        (": x", "header name"),
        ("Bad Name: x", "header name"),
        ("Ünknown: x", "header name"),
        ("Subject: a\r\ns: b", "Subject"),
        ("max-forwards: 1\r\nMax-Forwards: 1", "Max-Forwards"),
        ("l: 0", "Content-Length"),
    ],
)
def test_a_broken_or_repeated_line_is_refused(line: str, header: str) -> None:
    error = refused(HEAD + line + "\r\n\r\n")

    assert (error.header, error.status) == (header, 400)
    assert error.request is not None


@pytest.mark.parametrize("length", ["", "-1", "1", "+0", "0x0", "²", "0 0", "9" * 5000])
def test_content_length_is_a_number_and_right(length: str) -> None:
    text = HEAD.replace("Content-Length: 0", f"Content-Length: {length}") + "\r\n"

    assert refused(text).header == "Content-Length"


def test_content_length_is_there_on_a_stream_only() -> None:
    text = HEAD.replace("Content-Length: 0\r\n", "") + "\r\nbody"

    assert refused(text).header == "Content-Length"
    assert parse_message(text.encode(), stream=False).body == b"body"


def test_surplus_bytes_of_a_frame_are_discarded_and_missing_ones_refused() -> None:
    assert refused(HEAD + "\r\nbody").header == "Content-Length"
    assert parse_message((HEAD + "\r\nbody").encode(), stream=False).body == b""
    text = HEAD.replace("Content-Length: 0", "Content-Length: 5") + "\r\nbody"
    assert refused(text, stream=False).header == "Content-Length"


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_what_routing_reads_is_there(name: str) -> None:
    lines = [line for line in HEAD.split("\r\n") if not line.startswith(name + ":")]

    assert refused("\r\n".join(lines) + "\r\n").header == name


@pytest.mark.parametrize("call_id", ["", "a@b@c", "a b", "é", "a" * 256, "@", "a,b", "a;b"])
def test_a_call_id_is_a_word_or_two(call_id: str) -> None:
    text = HEAD.replace("Call-ID: 1", f"Call-ID: {call_id}") + "\r\n"

    assert refused(text).header == "Call-ID"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("OPTIONS", 400),
        ("OPTIONS sip:a@b", 400),
        ("OPTIONS sip:a@b SIP/2.0 ", 400),
        ("OPTIONS  sip:a@b SIP/2.0", 400),
        ("OPT@ONS sip:a@b SIP/2.0", 400),
        (" sip:a@b SIP/2.0", 400),
        ("OPTIONS a@b SIP/2.0", 400),
        ("OPTIONS sip:a@b HTTP/1.1", 400),
        ("OPTIONS sip:a@b SIP/3.0", 505),
        ("OPTIONS sip:a@b SIP/20", 400),
        ("OPTIONS sip:" + "a" * 3000 + "@b SIP/2.0", 414),
        ("INVITE sip:a@b SIP/2.0", 400),
    ],
)
def test_a_request_line_is_method_uri_and_version(line: str, status: int) -> None:
    assert refused(HEAD.replace("OPTIONS sip:a@b SIP/2.0", line) + "\r\n").status == status


def test_the_version_is_compared_without_case() -> None:
    parse_message((HEAD.replace("SIP/2.0\r\n", "sip/2.0\r\n", 1) + "\r\n").encode())
    text = HEAD.replace("OPTIONS sip:a@b SIP/2.0", "sip/2.0 200 OK")
    assert isinstance(parse_message((text + "\r\n").encode()), Response)


@pytest.mark.parametrize(
    "line",
    [
        "SIP/2.0",
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 0200 x",
        "SIP/2.0 2x0 x",
        "SIP/3.0 200 x",
    ],
)
def test_a_broken_response_is_not_answered(line: str) -> None:
    error = refused(HEAD.replace("OPTIONS sip:a@b SIP/2.0", line) + "\r\n")

    assert error.request is None


def test_a_response_may_lack_its_reason() -> None:
    response = parse_message(
        (HEAD.replace("OPTIONS sip:a@b SIP/2.0", "SIP/2.0 200") + "\r\n").encode()
    )

    assert isinstance(response, Response)
    assert (response.status, response.reason) == (200, "")


def test_text_that_is_not_utf_8_is_replaced() -> None:
    data = HEAD.encode().replace(b"From: <", b'From: "Jos\xe9" <') + b"\r\n"

    assert parse_message(data).from_.display == "Jos\ufffd"


def test_only_the_topmost_via_of_a_line_is_parsed() -> None:
    text = HEAD.replace("branch=z9hG4bK1", "branch=z9hG4bK1, SIP/2.0/TLS next") + "\r\n"

    assert parse_message(text.encode()).via.branch == "z9hG4bK1"
