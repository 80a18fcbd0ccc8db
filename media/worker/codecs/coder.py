"""Live coding between voice codecs and samples, by FFmpeg through PyAV.

PyAV is kept up and brings its own libopus, G.722 and resampler; opuslib has had no release since
2018 and needs a system library. Measured: 3 to 130 µs a frame of 20 ms, less than a thread's turn
costs, so it is done on the relay's loop.
"""

from collections.abc import Iterator
from types import ModuleType

from media.sdp.formats import CODED_KINDS, Codec

FRAME_MS = 20
OCTETS_PER_SAMPLE = 2

RATES = {"pcmu": 8_000, "pcma": 8_000, "g722": 16_000, "opus": 16_000}
"""Samples a second that each is coded from: Opus as wideband, which no telephone exceeds."""
NAMES = {"pcmu": "pcm_mulaw", "pcma": "pcm_alaw", "g722": "g722", "opus": "libopus"}
DECODED_AT = RATES | {"opus": 48_000}
"""libopus in FFmpeg decodes at its own clock."""
WIDEST = "g722"
"""What sounds are kept in with the most of them left."""
OPUS = {"application": "voip", "frame_duration": "20", "compression_level": "3", "b": "24000"}


def is_known(codec: Codec) -> bool:
    """Whether it can be coded here."""
    return codec.kind in CODED_KINDS


def warm() -> None:
    """Load the library: at the first call that needs it, everybody would hear a click."""
    for name in RATES:
        Decoder(name, 8_000).decode(Encoder(name).encode(bytes(samples_of(name) * 2)))


def samples_of(name: str) -> int:
    """In a frame."""
    return RATES[name] * FRAME_MS // 1000


class Decoder:
    """Payloads of one source to samples: 16 bits, mono, at a wanted rate."""

    def __init__(self, name: str, rate: int) -> None:
        self._av = av = _pyav()
        self._codec = av.CodecContext.create(NAMES[name], "r")
        self._codec.sample_rate, self._codec.layout = DECODED_AT[name], "mono"
        self._resampler = None
        if DECODED_AT[name] != rate:
            self._resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)

    def decode(self, payload: bytes) -> bytes:
        """Its samples; none if it is not of this codec."""
        try:
            frames = self._codec.decode(self._av.Packet(payload)) if payload else []
        except self._av.FFmpegError:
            return b""
        if self._resampler is not None:
            for frame in frames:
                frame.pts = None
            frames = [out for frame in frames for out in self._resampler.resample(frame)]
        return b"".join(bytes(f.planes[0])[: OCTETS_PER_SAMPLE * f.samples] for f in frames)


class Encoder:
    """Samples to payloads of 20 ms."""

    def __init__(self, name: str) -> None:
        av = _pyav()
        self.rate = RATES[name]
        self.frame_octets = samples_of(name) * OCTETS_PER_SAMPLE
        self._codec = av.CodecContext.create(NAMES[name], "w")
        self._codec.sample_rate, self._codec.layout, self._codec.format = self.rate, "mono", "s16"
        if name == "opus":
            self._codec.options = OPUS
        self._codec.open()
        self._frame = av.AudioFrame(format="s16", layout="mono", samples=samples_of(name))
        self._frame.sample_rate = self.rate

    def encode(self, samples: bytes) -> bytes:
        """Of exactly one frame."""
        self._frame.make_writable()
        self._frame.planes[0].update(samples)
        self._frame.pts = None
        return b"".join(bytes(packet) for packet in self._codec.encode(self._frame))


def recoded(
    frames: Iterator[bytes | memoryview], kept: str, wanted: str
) -> Iterator[bytes | memoryview]:
    """Frames of one codec in another, each when it is asked for."""
    encoder = Encoder(wanted)
    decoder = Decoder(kept, encoder.rate)
    for frame in frames:
        samples = decoder.decode(bytes(frame))[: encoder.frame_octets]
        yield encoder.encode(samples.ljust(encoder.frame_octets, b"\0"))


def _pyav() -> ModuleType:
    # Imported here: a process that codes nothing starts without it.
    import av

    av.logging.set_level(av.logging.PANIC)  # what a phone sends is not for a log
    return av
