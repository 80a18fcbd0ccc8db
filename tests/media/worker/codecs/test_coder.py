"""Live coding: what goes in as a tone comes out as that tone."""

import math
from array import array

import pytest

from media.sdp.formats import OPUS, PCMU, Codec
from media.worker.codecs import coder
from media.worker.codecs.coder import RATES, Decoder, Encoder, is_known, recoded, samples_of
from tests.support.tone import dominant

HERTZ, OTHERS = 440.0, (440.0, 1000.0, 300.0, 2000.0)


def tone(rate: int, count: int, start: int) -> bytes:
    step = 2 * math.pi * HERTZ / rate
    return array("h", (int(8000 * math.sin(step * (start + n))) for n in range(count))).tobytes()


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_a_tone_survives(name: str, rate: int) -> None:
    encoder, decoder = Encoder(name), Decoder(name, rate)
    count = samples_of(name)
    heard = b"".join(
        decoder.decode(encoder.encode(tone(encoder.rate, count, n * count))) for n in range(50)
    )

    samples = array("h", heard)
    assert abs(len(samples) - rate) < rate / 20
    assert dominant(list(samples[rate // 5 :]), rate, OTHERS) == HERTZ


@pytest.mark.parametrize("name", RATES)
def test_garbage_and_nothing_are_no_samples_or_noise_but_no_trouble(name: str) -> None:
    decoder = Decoder(name, 8_000)
    assert decoder.decode(b"") == b""
    for garbage in (b"\xff" * 200, b"\x03\xff\xff", bytes(1)):
        assert len(decoder.decode(garbage)) % 2 == 0
    encoder = Encoder(name)
    for _ in range(3):
        decoder.decode(encoder.encode(tone(encoder.rate, samples_of(name), 0)))


def test_kept_frames_are_recoded_one_for_one() -> None:
    encoder = Encoder("g722")
    frames = [encoder.encode(tone(16_000, 320, 320 * n)) for n in range(25)]

    found = list(recoded(iter(frames), "g722", "opus"))

    assert len(found) == 25
    decoder = Decoder("opus", 8_000)
    samples = array("h", b"".join(decoder.decode(bytes(frame)) for frame in found))
    assert dominant(list(samples[1000:]), 8_000, OTHERS) == HERTZ


def test_what_is_known_can_be_made_ready() -> None:
    coder.warm()
    assert is_known(PCMU) and is_known(OPUS)
    assert not is_known(Codec("g729")) and not is_known(Codec("telephone-event"))
