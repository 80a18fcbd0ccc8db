"""Bodies of several parts, and those that only look like it."""

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.message import Request
from pbx.sip.multipart import LONGEST_HEAD, MOST_PARTS, Part, parts_of, write
from tests.support.pair import request

SDP = Part(content_type="application/sdp", body=b"v=0\r\n\r\n--x\r\n")
PLACE = Part(
    content_type="application/pidf+xml", body=b"<presence/>", content_id="<a@b>", is_optional=True
)


def message(body: bytes, kind: str = 'multipart/mixed; boundary="b 1"') -> Request:
    return request("INVITE", ("Content-Type", kind), body=body)


def test_what_is_written_is_read() -> None:
    assert parts_of(message(write((SDP, PLACE), "b 1"))) == (SDP, PLACE)


def test_preamble_padding_case_and_epilogue_are_passed_over() -> None:
    body = (
        b"not for us\r\n--b1 \t\r\nCONTENT-TYPE: Application/SDP; x=y\r\n"
        b"Content-Disposition: session; handling=required\r\n\r\nv=0\r\n--b1--\r\nnor this"
    )
    [part] = parts_of(message(body, "Multipart/Mixed;boundary=b1"))
    assert part == Part(content_type="application/sdp", body=b"v=0")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", Part(content_type="text/plain", body=b"x")),
        (b"\r\nContent-ID: <a b>", Part(content_type="text/plain", body=b"x")),
        (b"\r\nContent-ID: <a>\n<b>", Part(content_type="text/plain", body=b"x")),
        (b"\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: Binary",
         Part(content_type="a/b", body=b"x")),
        (b"\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64",
         Part(content_type="a/b in base64", body=b"x")),
    ],
)  # fmt: skip
def test_the_head_of_a_part(fields: bytes, expected: Part) -> None:
    assert parts_of(message(b"--b 1" + fields + b"\r\n\r\nx\r\n--b 1--")) == (expected,)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b 1\r\n\r\nv=0\r\n",
        b"--b 1--",
        b"--b 1\r\nno blank line\r\n--b 1--",
        b"--b 1 and more\r\n\r\nx\r\n--b 1--",
        b"--b 1\r\nX: " + bytes(LONGEST_HEAD) + b"\r\n\r\nx\r\n--b 1--",
        write((SDP,) * (MOST_PARTS + 1), "b 1"),
    ],
)
def test_what_is_cut_off_or_too_much_is_the_peers_fault(body: bytes) -> None:
    with pytest.raises(PeerError, match="body"):
        parts_of(message(body))


@pytest.mark.parametrize(
    "kind",
    ["multipart/mixed", "multipart/mixed;boundary", "multipart/mixed;boundary=" + "x" * 71,
     'multipart/mixed;boundary="é"'],
)  # fmt: skip
def test_several_parts_have_a_boundary(kind: str) -> None:
    with pytest.raises(PeerError, match="Content-Type"):
        parts_of(message(b"--\r\n\r\nx\r\n----", kind))
