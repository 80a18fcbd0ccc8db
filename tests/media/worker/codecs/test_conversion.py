"""media/worker/codecs/conversion.py and levels.py: every codec into every other."""

import math
from itertools import product

import pytest

from media.recordings import AudioCodec
from media.worker.codecs.conversion import (
    FRAME_MS,
    PLACED,
    RATES,
    Conversion,
    Decoder,
    Encoder,
    packets,
)
from media.worker.levels import judge_of
from tests.support.tone import power

SPOKEN: tuple[AudioCodec, ...] = ("pcmu", "pcma", "g722", "opus")


def sound(codec: AudioCodec, amplitude: int = 8000, hertz: float = 600) -> bytearray:
    """A second of a tone as it is kept."""
    rate = RATES[codec]
    wave = bytearray()
    for n in range(rate):
        sample = int(amplitude * math.sin(2 * math.pi * hertz * n / rate))
        wave += sample.to_bytes(2, "little", signed=True)
    if codec == "l16":
        return wave
    frames = Encoder(codec, rate).encode(wave)
    assert not any(wave), "overwritten"
    if codec != "opus":
        return bytearray(b"".join(frames))
    placed = bytearray()
    for number, frame in enumerate(frames):
        placed += PLACED.pack(FRAME_MS * number, len(frame)) + frame
    return placed


def samples(codec: AudioCodec, frames: list[bytearray]) -> list[int]:
    kept = bytearray()
    for number, frame in enumerate(frames):
        kept += (
            PLACED.pack(FRAME_MS * (number % 50), len(frame)) if codec == "opus" else b""
        ) + frame
    made = Decoder(codec).decode(memoryview(kept))
    return [
        int.from_bytes(made[at : at + 2], "little", signed=True) for at in range(0, len(made), 2)
    ]


@pytest.mark.parametrize(("source", "target"), list(product((*SPOKEN, "l16"), SPOKEN)))
def test_a_tone_stays_the_same_tone(source: AudioCodec, target: AudioCodec) -> None:
    conversion, kept = Conversion(source, target), sound(source)
    frames = conversion.frames(memoryview(kept))

    assert 48 <= len(frames) <= 50
    heard = samples(target, frames)
    assert power(heard[RATES[target] // 10 :], RATES[target], 600) > 0.9


@pytest.mark.parametrize("codec", [*SPOKEN, "l16"])
def test_silence_is_told_from_a_voice(codec: AudioCodec) -> None:
    is_quiet = judge_of(codec)

    assert not is_quiet(sound(codec))
    assert judge_of(codec)(sound(codec, amplitude=60))
    assert is_quiet(bytearray())


def test_damaged_places_of_packets_end_the_second() -> None:
    good = PLACED.pack(0, 3) + b"abc"
    for tail in (b"\0", PLACED.pack(20, 0), PLACED.pack(20, 9) + b"cut"):
        found = list(packets("opus", memoryview(good + tail)))
        assert [bytes(octets) for _, octets in found] == [b"abc"]
