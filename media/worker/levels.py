"""Whether a piece of audio is silence: to end a message whose caller has gone away."""

from array import array
from collections.abc import Callable
from functools import cache

from media.recordings import AudioCodec
from media.worker.codecs import g711
from media.worker.codecs.conversion import Decoder, wipe

LOUD = 512
"""Of 32,768: above the noise of a quiet room, below a soft voice."""
EACH = 8
"""One sample of so many is looked at."""
SHARE = 100
"""One sample in so many has to be loud."""


def judge_of(codec: AudioCodec) -> Callable[[bytearray], bool]:
    """For one recording, piece by piece: True is silence."""
    if codec in ("pcmu", "pcma"):
        quiet = _quiet(codec)
        return lambda audio: _is_quiet_g711(audio, quiet)
    decoder = Decoder(codec)
    return lambda audio: _is_quiet(decoder.decode(memoryview(audio)))


def _is_quiet_g711(audio: bytearray, quiet: bytes) -> bool:
    loud = audio.translate(None, quiet)
    count = len(loud)
    wipe(loud)
    return count * SHARE <= len(audio)


def _is_quiet(samples: bytearray) -> bool:
    values = array("h", bytes(2 * (len(samples) // 2)))
    with memoryview(values).cast("B") as view:
        view[:] = memoryview(samples)[: len(view)]
    heard = values[::EACH]
    count = sum(1 for value in heard if abs(value) > LOUD)
    is_quiet = count * SHARE <= len(heard)
    with memoryview(heard).cast("B") as view:
        view[:] = bytes(len(view))
    with memoryview(values).cast("B") as view:
        view[:] = bytes(len(view))
    wipe(samples)
    return is_quiet


@cache
def _quiet(codec: AudioCodec) -> bytes:
    sample_of = g711.sample_of_ulaw if codec == "pcmu" else g711.sample_of_alaw
    return bytes(octet for octet in range(256) if abs(sample_of(octet)) <= LOUD)
