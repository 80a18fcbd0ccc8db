"""Audio as it was recorded into the codec of the leg that hears it, through PyAV, in threads.

A segment goes in, 20 ms frames come out. FFmpeg frees its buffers without overwriting them, so
ours are overwritten while they are still ours.
"""

import struct
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from media.recordings import AudioCodec
from media.worker.vault import SEGMENT_MS

RATES: dict[AudioCodec, int] = {
    "pcmu": 8000,
    "pcma": 8000,
    "g722": 16_000,
    "opus": 48_000,
    "l16": 8000,
}
_NAMES: dict[AudioCodec, str] = {
    "pcmu": "pcm_mulaw",
    "pcma": "pcm_alaw",
    "g722": "g722",
    "opus": "libopus",
    "l16": "pcm_s16le",
}
PLACED = struct.Struct("!HH")
"""Before each Opus packet of a segment: its place in milliseconds, its length."""
FRAME = 160
"""Octets of 20 ms in every codec but Opus (and 16-bit samples, which no leg speaks)."""
FRAME_MS = 20
OPUS_BITS = 32_000
LONGEST_PACKET_MS = 120
"""Of Opus (RFC 6716 §2.1.4)."""


class Decoder:
    """From a codec to 16-bit samples at its rate."""

    def __init__(self, codec: AudioCodec) -> None:
        self._av = pyav()
        self._codec = codec
        self.rate = RATES[codec]
        self._context = self._av.CodecContext.create(_NAMES[codec], "r")
        self._context.sample_rate, self._context.layout = self.rate, "mono"
        self._ahead = 0
        """Octets of the next segment that its last packet has given already."""

    def decode(self, audio: memoryview, milliseconds: int = SEGMENT_MS) -> bytearray:
        """The samples of a segment that lasts so long, where nothing came silence.

        A phone sends what it likes: what is not of its codec is silence too, and packets that lie
        upon each other make a segment no longer than one packet more."""
        samples, per_ms = bytearray(), 2 * self.rate // 1000
        most = (milliseconds + LONGEST_PACKET_MS) * per_ms - self._ahead
        for at, octets in packets(self._codec, audio):
            silent = at * per_ms - self._ahead - len(samples)
            samples += bytes(max(silent, 0))
            if len(samples) > most:
                break
            self._add(octets, samples)
        missing = milliseconds * per_ms - self._ahead - len(samples)
        samples += bytes(max(missing, 0))
        self._ahead = max(-missing, 0)
        return samples

    def _add(self, octets: memoryview, samples: bytearray) -> None:
        packet = self._av.Packet(len(octets))
        packet.update(octets)
        try:
            for frame in self._context.decode(packet):
                samples += memoryview(frame.planes[0])[: 2 * frame.samples]
                blank(frame.planes[0])
        except self._av.FFmpegError:
            return
        finally:
            blank(packet)


class Encoder:
    """From 16-bit samples at one rate to frames of a codec."""

    def __init__(self, codec: AudioCodec, rate: int) -> None:
        self._av = pyav()
        self._codec, self._given, self.rate = codec, rate, RATES[codec]
        self._context = self._av.CodecContext.create(_NAMES[codec], "w")
        self._context.sample_rate, self._context.layout = self.rate, "mono"
        self._context.format = "s16"
        if codec == "opus":
            self._context.bit_rate = OPUS_BITS
            self._context.options = {"application": "voip", "frame_duration": str(FRAME_MS)}
        self._resampler: Any = None
        if rate != self.rate:
            self._resampler = self._av.AudioResampler(format="s16", layout="mono", rate=self.rate)
        self._waiting = bytearray()
        self._passed = 0

    def encode(self, samples: bytearray) -> list[bytearray]:
        """Whole frames; the rest waits for what follows. The samples are overwritten."""
        self._waiting += self._resampled(samples)
        wipe(samples)
        size = 2 * self.rate * FRAME_MS // 1000
        whole = len(self._waiting) // size * size
        frames = [self._frame(start, size) for start in range(0, whole, size)]
        self._waiting[:whole] = bytes(whole)
        del self._waiting[:whole]
        return frames

    def _resampled(self, samples: bytearray) -> bytearray:
        if self._resampler is None or not samples:
            return bytearray(samples)
        made = bytearray()
        frame = self._filled(memoryview(samples), self._given)
        for each in self._resampler.resample(frame):
            made += memoryview(each.planes[0])[: 2 * each.samples]
            blank(each.planes[0])
        blank(frame.planes[0])
        return made

    def _frame(self, start: int, size: int) -> bytearray:
        with memoryview(self._waiting) as view:
            frame = self._filled(view[start : start + size], self.rate)
        made = bytearray()
        for packet in self._context.encode(frame):
            made += memoryview(packet)
            blank(packet)
        blank(frame.planes[0])
        return made

    def _filled(self, samples: memoryview, rate: int) -> Any:
        count = len(samples) // 2
        frame = self._av.AudioFrame(format="s16", layout="mono", samples=count)
        frame.sample_rate, frame.pts = rate, self._passed
        self._passed += count
        padded = bytearray(frame.planes[0].buffer_size)
        padded[: 2 * count] = samples
        frame.planes[0].update(padded)
        wipe(padded)
        return frame


class Conversion:
    """From the codec of a file to the codec of a leg. The same codec is only cut into frames, but
    for Opus, whose packets last as long as their phone likes and leave silence out."""

    def __init__(self, source: AudioCodec, target: AudioCodec) -> None:
        is_cut = source == target != "opus"
        self._decoder = None if is_cut else Decoder(source)
        self._encoder = None if is_cut else Encoder(target, RATES[source])

    def frames(self, audio: memoryview, milliseconds: int = SEGMENT_MS) -> list[bytearray]:
        """Of a segment that lasts so long, to be overwritten by whoever plays them."""
        if self._decoder is None or self._encoder is None:
            return [bytearray(audio[at : at + FRAME]) for at in range(0, len(audio), FRAME)]
        return self._encoder.encode(self._decoder.decode(audio, milliseconds))


def packets(codec: AudioCodec, audio: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The packets of a segment with their places: one, but for Opus."""
    if codec != "opus":
        if audio:
            yield 0, audio
        return
    place = 0
    while place + PLACED.size <= len(audio):
        at, size = PLACED.unpack_from(audio, place)
        place += PLACED.size
        if 0 < size <= len(audio) - place:
            yield at, audio[place : place + size]
        place += size


def blank(buffer: Any) -> None:
    """Overwrite a buffer of FFmpeg's."""
    buffer.update(bytes(buffer.buffer_size))


def wipe(octets: bytearray) -> None:
    octets[:] = bytes(len(octets))


def pyav() -> ModuleType:
    """Imported late: it takes a third of a second, and most workers' first calls need none."""
    import av

    return av
