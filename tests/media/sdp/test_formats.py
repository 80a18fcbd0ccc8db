"""Payload types and what they stand for."""

import pytest

from media.sdp.formats import (
    OURS,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Codec,
    attributes_of,
    common,
    formats_of,
    number_of,
    renumbered,
)
from media.sdp.model import Attribute, Media

OPUS = Codec("opus", 48_000, 2, "useinbandfec=1")


def stream(formats: str, *attributes: str) -> Media:
    pairs = [Attribute(*a.split(":", 1)) for a in attributes]
    return Media("audio", 4000, "RTP/SAVP", tuple(formats.split()), None, tuple(pairs))


def test_named_and_static_types_are_read_in_the_phones_order() -> None:
    media = stream("96 8 0", "rtpmap:96 opus/48000/2", "fmtp:96 useinbandfec=1")

    assert list(formats_of(media).items()) == [(96, OPUS), (8, PCMA), (0, PCMU)]


def test_what_we_write_is_read_back() -> None:
    formats = {96: OPUS, **OURS}
    media = Media("audio", 1, "x", tuple(map(str, formats)), None, tuple(attributes_of(formats)))

    assert formats_of(media) == formats


@pytest.mark.parametrize("text", ["128", "72", "95", "x", "²", "0000", "00", "1234", "50"])
def test_a_number_that_stands_for_nothing_is_passed_over(text: str) -> None:
    assert formats_of(stream(f"{text} 0")) == {0: PCMU}


@pytest.mark.parametrize(
    "value",
    [
        "96 opus",
        "96 opus/x",
        "96 opus/48000/9",
        "96 opus/4800000",
        "96 opus/700",
        "96 ñ/8000",
        f"96 {'x' * 40}/8000",
    ],
)
def test_a_name_that_cannot_be_understood_is_passed_over(value: str) -> None:
    assert formats_of(stream("96 0", f"rtpmap:{value}")) == {0: PCMU}


@pytest.mark.parametrize("fmtp", ["x" * 500, "ñ"])
def test_parameters_we_could_not_pass_on_are_left_out(fmtp: str) -> None:
    assert formats_of(stream("0", f"fmtp:0 {fmtp}")) == {0: PCMU}


def test_what_is_common_keeps_the_offered_numbers_in_the_wanted_order() -> None:
    offered = {0: PCMU, 8: PCMA, 120: TELEPHONE_EVENT}

    wanted = [PCMA, OPUS, PCMU, PCMU]
    assert list(common(offered, wanted)) == [8, 0]


def test_a_codec_with_other_parameters_is_the_same_codec() -> None:
    assert number_of({96: OPUS}, Codec("opus", 48_000, 2)) == 96
    assert number_of({96: OPUS}, Codec("opus", 48_000, 1)) is None


def test_a_number_once_given_stays_and_is_not_given_to_another() -> None:
    used = {96: OPUS, 0: PCMU}
    event = Codec("telephone-event", 48_000)

    assert renumbered({97: OPUS, 96: event, 0: PCMU}, used) == {96: OPUS, 97: event, 0: PCMU}


def test_when_all_numbers_are_taken_the_rest_is_left_out() -> None:
    used = {n: Codec(f"c{n}") for n in range(96, 128)}

    assert renumbered({96: OPUS}, used) == {}
