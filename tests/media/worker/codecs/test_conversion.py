"""media/worker/codecs/conversion.py and levels.py: every codec into every other."""

import math
from itertools import product

import pytest

from media.recordings import AudioCodec
from media.worker.codecs.conversion import (
    FRAME_MS,
    LONGEST_PACKET_MS,
    PLACED,
    RATES,
    Conversion,
    Decoder,
    Encoder,
    packets,
)
from media.worker.levels import judge_of
from media.worker.vault import SEGMENT_MS
from tests.support.tone import power

SPOKEN: tuple[AudioCodec, ...] = ("pcmu", "pcma", "g722", "opus")


def sound(codec: AudioCodec, amplitude: int = 8000, hertz: float = 600) -> bytearray:
    """Half a second of a tone as it is kept."""
    rate = RATES[codec]
    wave = bytearray()
    for n in range(rate // 2):
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
        kept += (PLACED.pack(FRAME_MS * number, len(frame)) if codec == "opus" else b"") + frame
    made = Decoder(codec).decode(memoryview(kept), FRAME_MS * len(frames))
    return list(memoryview(made).cast("h"))


@pytest.mark.parametrize(("source", "target"), list(product((*SPOKEN, "l16"), SPOKEN)))
def test_a_tone_stays_the_same_tone(source: AudioCodec, target: AudioCodec) -> None:
    conversion, kept = Conversion(source, target), sound(source)
    frames = conversion.frames(memoryview(kept))

    assert 23 <= len(frames) <= 25
    heard = samples(target, frames)
    assert power(heard[RATES[target] // 10 :], RATES[target], 600) > 0.9


@pytest.mark.parametrize("codec", [*SPOKEN, "l16"])
def test_silence_is_told_from_a_voice(codec: AudioCodec) -> None:
    is_quiet = judge_of(codec)

    assert not is_quiet(sound(codec))
    assert judge_of(codec)(sound(codec, amplitude=60))
    assert is_quiet(bytearray())


def test_damaged_places_of_packets_end_the_segment() -> None:
    good = PLACED.pack(0, 3) + b"abc"
    for tail in (b"\0", PLACED.pack(20, 0), PLACED.pack(20, 9) + b"cut"):
        found = list(packets("opus", memoryview(good + tail)))
        assert [bytes(octets) for _, octets in found] == [b"abc"]


@pytest.mark.parametrize("target", SPOKEN)
def test_opus_that_began_anywhere_is_as_long_as_it_was_and_whole(target: AudioCodec) -> None:
    """Packets lie across the ends of segments: what one gives too much, the next has already."""
    rate, count, shift = RATES["opus"], 4 * SEGMENT_MS // FRAME_MS, 13
    wave = bytearray()
    for n in range(rate * FRAME_MS // 1000 * count):
        wave += int(8000 * math.sin(2 * math.pi * 600 * n / rate)).to_bytes(
            2, "little", signed=True
        )
    segments = [bytearray() for _ in range(5)]
    for number, frame in enumerate(Encoder("opus", rate).encode(wave)):
        segment, place = divmod(shift + FRAME_MS * number, SEGMENT_MS)
        segments[segment] += PLACED.pack(place, len(frame)) + frame
    conversion = Conversion("opus", target)

    frames = [frame for each in segments[:4] for frame in conversion.frames(memoryview(each))]

    assert 4 * SEGMENT_MS // FRAME_MS - 2 <= len(frames) <= 4 * SEGMENT_MS // FRAME_MS
    heard = samples(target, frames)[RATES[target] // 10 :]
    assert power(heard, RATES[target], 600) > 0.95, "no gap"


def test_silence_that_a_phone_did_not_send_is_silence() -> None:
    """As Opus leaves it out (RFC 6716 §2.1.9)."""
    kept = sound("opus")
    first = kept[: PLACED.size + PLACED.unpack_from(kept)[1]]
    late = PLACED.pack(400, len(first) - PLACED.size) + first[PLACED.size :]
    frames = Conversion("opus", "pcmu").frames(memoryview(first + late))

    assert len(frames) >= 24
    assert len(Conversion("opus", "opus").frames(memoryview(bytearray()))) == 25


BAD_OPUS = (b"\xff\xff", b"\x03", b"\xfb\x00", b"\xff" * 200)
"""Lengths that do not fit their packets: libopus takes none of them."""


@pytest.mark.parametrize("bad", BAD_OPUS, ids=lambda bad: bad[:4].hex())
def test_a_packet_that_is_not_opus_is_silence_in_its_place(bad: bytes) -> None:
    kept = sound("opus")
    first = PLACED.size + PLACED.unpack_from(kept)[1]
    at = PLACED.unpack_from(kept, first)[0]
    spoilt = kept[:first] + PLACED.pack(at, len(bad)) + bad + kept[first:]

    frames = Conversion("opus", "pcmu").frames(memoryview(spoilt))

    assert len(frames) >= 24
    assert power(samples("pcmu", frames)[800:], 8000, 600) > 0.9
    assert not judge_of("opus")(bytearray(spoilt))
    assert judge_of("opus")(bytearray(PLACED.pack(0, len(bad)) + bad))


def test_packets_upon_each_other_make_no_longer_segment() -> None:
    """Each asks for 60 ms of what was before, and there is room for thousands."""
    crowded = (PLACED.pack(0, 1) + b"\x18") * 4000

    decoder = Decoder("opus")
    counts = [len(decoder.decode(memoryview(crowded))) for _ in range(3)]

    per_ms = 2 * decoder.rate // 1000
    assert max(counts) <= (SEGMENT_MS + 2 * LONGEST_PACKET_MS) * per_ms
