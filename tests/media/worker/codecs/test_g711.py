"""G.711 by table."""

import math

import pytest

from media.worker.codecs import g711
from tests.support.tone import power

SINE = [int(8000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(1600)]


@pytest.mark.parametrize(
    ("encode", "decode"),
    [(g711.encode_ulaw, g711.decode_ulaw), (g711.encode_alaw, g711.decode_alaw)],
)
def test_a_tone_survives(encode, decode) -> None:
    heard = decode(encode(SINE))

    assert max(abs(a - b) for a, b in zip(SINE, heard, strict=True)) <= 256
    assert power(list(heard), 8000, 440) > 0.99


def test_every_octet_stands_for_itself() -> None:
    octets = bytes(range(256))

    assert g711.encode_alaw(g711.decode_alaw(octets)) == octets
    again = g711.encode_ulaw(g711.decode_ulaw(octets))
    assert [a for a, b in zip(octets, again, strict=True) if a != b] == [0x7F]  # minus zero


@pytest.mark.parametrize(
    ("sample", "ulaw", "alaw"),
    [(0, 0xFF, 0xD5), (32_767, 0x80, 0xAA), (-32_768, 0x00, 0x2A), (-1, 0x7F, 0x55)],
)
def test_the_ends_of_the_scale(sample: int, ulaw: int, alaw: int) -> None:
    assert g711.encode_ulaw([sample])[0] == ulaw
    assert g711.encode_alaw([sample])[0] == alaw
