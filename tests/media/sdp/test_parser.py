"""Strict, and bounded before anything is converted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.sdp import parser
from media.sdp.model import Connection
from media.sdp.parser import Malformed, parse

HEAD = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n"
TIME = "t=0 0\r\n"
GOOD = HEAD + "c=IN IP4 192.0.2.1\r\n" + TIME + "m=audio 4000 RTP/SAVP 0 8\r\na=sendrecv\r\n"


def test_a_description_is_read_whole() -> None:
    session = parse(GOOD.encode())

    assert session.version == 2
    assert session.connection == Connection("192.0.2.1", 4)
    assert session.media[0].formats == ("0", "8")
    assert session.media[0].has("sendrecv")


def test_what_we_write_we_read_back() -> None:
    session = parse(GOOD.encode())

    assert parse(session.encode()) == session


def test_lone_line_feeds_are_taken() -> None:
    assert parse(GOOD.replace("\r\n", "\n").encode()) == parse(GOOD.encode())


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n\r\n", "\n \n"])
def test_blanks_at_the_end_of_lines_and_of_it_all_are_passed_over(end: str) -> None:
    written = GOOD.removesuffix("\r\n").replace("\r\n", " \r\n") + end

    assert parse(written.encode()) == parse(GOOD.encode())


def test_a_tab_is_taken() -> None:
    assert parse((GOOD + "a=x-vendor:a\tb\r\n").encode()).media[0].has("x-vendor")


def test_a_stream_may_have_a_connection_of_its_own() -> None:
    session = parse((GOOD + "c=IN IP6 2001:db8::1\r\n").encode())

    assert session.media[0].connection == Connection("2001:db8::1", 6)


def test_a_host_name_is_kept_and_not_resolved() -> None:
    session = parse(GOOD.replace("IN IP4 192.0.2.1\r\nt", "IN IP4 phone.example\r\nt").encode())

    assert session.connection == Connection("phone.example", 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=1\r\n",
        "v=0\r\n",
        "v=0\r\ns=-\r\n",
        GOOD + "v=0\r\n",
        GOOD.replace("t=0 0\r\n", ""),
        GOOD.replace("s=-\r\n", ""),
        GOOD + "x=1\r\n",
        GOOD + "novalue\r\n",
        GOOD + "a=bad name:1\r\n",
        GOOD + "a=bell\athere\r\n",
        GOOD + "\r\na=line\r\n",
        GOOD + "a=" + "x" * 1100 + "\r\n",
        GOOD + "a=x\r\n" * 500,
        GOOD + "a=" + "y" * 1000 + "\r\n" * 20 + "i=" + "z" * 17_000,
        GOOD + "m=audio 1 RTP/SAVP 0\r\n" * 20,
        GOOD.replace("o=- 1 2 IN IP4 192.0.2.1", "o=- 1 2 IN IP4"),
        GOOD.replace("o=- 1 2", "o=- 1 ²"),
        GOOD.replace("o=- 1 2", "o=- 1 " + "9" * 5000),
        GOOD.replace("o=- 1 2", "o=- x 2"),
        GOOD.replace("c=IN IP4 192.0.2.1", "c=IN IP4"),
        GOOD.replace("c=IN IP4 192.0.2.1", "c=IN IP5 192.0.2.1"),
        GOOD.replace("c=IN IP4 192.0.2.1", "c=IN IP6 192.0.2.1"),
        GOOD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 233.252.0.1/127"),
        GOOD.replace("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1"),
        GOOD.replace("m=audio 4000", "m=audio 70000"),
        GOOD.replace("m=audio 4000", "m=audio -1"),
        GOOD.replace("m=audio 4000", "m=audio 4000/2"),
        GOOD.replace("m=audio 4000", "m=au(dio 4000"),
        GOOD.replace("RTP/SAVP 0 8", "RTP//SAVP 0"),
        GOOD.replace("RTP/SAVP 0 8", "RTP/SAVP"),
        GOOD.replace("RTP/SAVP 0 8", "RTP/SAVP 0  8"),
        GOOD.replace("RTP/SAVP 0 8", "RTP/SAVP " + " ".join(map(str, range(70)))),
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text.encode())


def test_octets_that_are_not_utf_8_are_malformed() -> None:
    with pytest.raises(Malformed):
        parse(GOOD.encode() + b"i=\xff\r\n")


def test_one_port_may_be_counted() -> None:
    assert parse(GOOD.replace("4000", "4000/1").encode()).media[0].port == 4000


@settings(max_examples=150, deadline=None, print_blob=True)
@given(st.data())
def test_damage_is_either_read_or_malformed_and_nothing_else(data: st.DataObject) -> None:
    octets = bytearray(GOOD.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        session = parse(bytes(octets))
    except Malformed:
        return
    assert len(session.media) <= parser.MAX_MEDIA


@pytest.mark.parametrize("zone", ["eth0", "é", "é" * 100, "x" * 300])
def test_a_zone_is_left_out_for_a_socket_would_look_it_up(zone: str) -> None:
    text = GOOD.replace("c=IN IP4 192.0.2.1", f"c=IN IP6 fe80::1%{zone}")

    assert parse(text.encode()).connection == Connection("fe80::1", 6)
