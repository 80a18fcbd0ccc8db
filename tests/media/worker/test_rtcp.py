"""RTCP packets, written and read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from media.worker.rtcp import MOST, ReportBlock, Sent, compound, goodbye, middle_of_ntp, reports

BLOCK = ReportBlock(7, 12, -3, 70_000, 81, 5, 6)


def test_a_sender_report_reads_back() -> None:
    wall = 1_800_000_000.25

    (report,) = reports(compound(9, "exam-room", wall, Sent(160, 2, 320), (BLOCK,)))

    assert report.ssrc == 9
    assert report.blocks == (BLOCK,)
    assert report.sent is not None
    assert abs(report.sent - middle_of_ntp(wall)) <= 1


def test_a_receiver_report_has_no_time() -> None:
    (report,) = reports(compound(9, "x", 0.0, None, ()))

    assert report.sent is None
    assert report.blocks == ()


def test_the_name_is_in_it_and_the_whole_is_in_words_of_32_bits() -> None:
    for name in ("a", "ab", "abc", "abcd", "é" * 300):
        packet = compound(9, name, 0.0, None, ())
        assert len(packet) % 4 == 0
        assert name.encode("ascii", "replace")[:255] in packet


def test_goodbye_names_the_source() -> None:
    assert goodbye(0x01020304, "x").endswith(b"\x81\xcb\0\1\1\2\3\4")


def test_a_report_that_claims_more_blocks_than_it_has_gives_those_it_has() -> None:
    packet = bytearray(compound(9, "x", 0.0, None, (BLOCK,)))
    packet[0] = 0x80 | 31

    assert reports(bytes(packet))[0].blocks == (BLOCK,)


@settings(max_examples=200, deadline=None, print_blob=True)
@given(st.binary(max_size=80))
def test_any_octets_are_read_without_complaint(octets: bytes) -> None:
    reports(octets)
    reports(b"\x81\xc8\0\x06" + octets)


def test_of_a_compound_without_end_the_beginning_is_read() -> None:
    one = compound(9, "x", 0.0, None, ())

    assert len(reports(one * 100)) == MOST // 2
