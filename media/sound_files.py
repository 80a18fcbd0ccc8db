"""A message as a WAV stream, for a command that may open it: decoded second by second, no file."""

import struct
from collections.abc import Iterator

from media.recordings import AudioCodec
from media.worker.codecs.conversion import RATES, Decoder

ENDLESS = 0xFFFFFFFF
"""A length that a stream does not know yet, as players take it."""


def wav(codec: AudioCodec, seconds: Iterator[memoryview], octets: int = ENDLESS) -> Iterator[bytes]:
    """Header and samples: 16 bits, one channel, at the codec's rate."""
    rate = RATES[codec]
    yield struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", min(octets + 36, ENDLESS), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16,
        b"data", octets,
    )  # fmt: skip
    decoder = Decoder(codec)
    for second in seconds:
        yield bytes(decoder.decode(second))
