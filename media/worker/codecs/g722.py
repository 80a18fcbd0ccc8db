"""G.722 at 64 kbit/s through PyAV; only for sounds made ahead, never on the relay's loop."""

from array import array
from collections.abc import Sequence
from types import ModuleType

RATE = 16_000
CHUNK = 320


def encode(samples: Sequence[int]) -> bytes:
    """16-bit samples at 16 kHz as G.722: half as many octets."""
    av = _pyav()
    codec = av.CodecContext.create("g722", "w")
    codec.sample_rate, codec.layout, codec.format = RATE, "mono", "s16"
    padded = array("h", samples)
    padded.extend([0] * (-len(padded) % CHUNK))
    octets = bytearray()
    for start in range(0, len(padded), CHUNK):
        frame = av.AudioFrame(format="s16", layout="mono", samples=CHUNK)
        frame.sample_rate, frame.pts = RATE, start
        frame.planes[0].update(padded[start : start + CHUNK].tobytes())
        for packet in codec.encode(frame):
            octets += bytes(packet)
    for packet in codec.encode(None):
        octets += bytes(packet)
    return bytes(octets)


def decode(octets: bytes) -> "array[int]":
    """G.722 as 16-bit samples at 16 kHz."""
    av = _pyav()
    codec = av.CodecContext.create("g722", "r")
    codec.sample_rate, codec.layout = RATE, "mono"
    samples = array("h")
    for frame in codec.decode(av.Packet(octets)):
        samples.frombytes(bytes(frame.planes[0])[: 2 * frame.samples])
    return samples


def _pyav() -> ModuleType:
    # Imported here: a worker that finds its tones encoded starts without it.
    import av

    return av
