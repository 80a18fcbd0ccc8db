"""G.711, both laws, by table (audioop is gone in Python 3.13)."""

from array import array
from collections.abc import Callable, Sequence
from functools import cache

ULAW_SILENCE, ALAW_SILENCE = 0xFF, 0xD5
ULAW_BIAS, ULAW_CLIP = 0x84, 32_635


def ulaw_of(sample: int) -> int:
    """One 16-bit sample in µ-law."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), ULAW_CLIP) + ULAW_BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = magnitude >> (exponent + 3) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


def sample_of_ulaw(octet: int) -> int:
    """The 16-bit sample that a µ-law octet stands for."""
    octet = ~octet & 0xFF
    magnitude = ((octet & 0x0F) << 3) + ULAW_BIAS << (octet >> 4 & 7)
    return ULAW_BIAS - magnitude if octet & 0x80 else magnitude - ULAW_BIAS


def alaw_of(sample: int) -> int:
    """One 16-bit sample in A-law."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = min(sample if sample >= 0 else ~sample, 32_767) >> 4
    exponent = max(magnitude.bit_length() - 4, 1) if magnitude > 0x0F else 0
    mantissa = (magnitude >> (exponent - 1) if exponent else magnitude) & 0x0F
    return (sign | exponent << 4 | mantissa) ^ 0x55


def sample_of_alaw(octet: int) -> int:
    """The 16-bit sample that an A-law octet stands for."""
    octet ^= 0x55
    exponent, magnitude = octet >> 4 & 7, (octet & 0x0F) << 4
    magnitude += 8 if exponent == 0 else 0x108
    if exponent > 1:
        magnitude <<= exponent - 1
    return magnitude if octet & 0x80 else -magnitude


_FROM_ULAW = tuple(map(sample_of_ulaw, range(256)))
_FROM_ALAW = tuple(map(sample_of_alaw, range(256)))


def encode_ulaw(samples: Sequence[int]) -> bytes:
    """16-bit samples at 8 kHz as µ-law."""
    return _looked_up(_table(ulaw_of), samples)


def encode_alaw(samples: Sequence[int]) -> bytes:
    """16-bit samples at 8 kHz as A-law."""
    return _looked_up(_table(alaw_of), samples)


def decode_ulaw(octets: bytes) -> "array[int]":
    """µ-law as 16-bit samples."""
    return array("h", (_FROM_ULAW[octet] for octet in octets))


def decode_alaw(octets: bytes) -> "array[int]":
    """A-law as 16-bit samples."""
    return array("h", (_FROM_ALAW[octet] for octet in octets))


def _looked_up(table: bytes, samples: Sequence[int]) -> bytes:
    unsigned = array("H", array("h", samples).tobytes())
    return bytes(map(table.__getitem__, unsigned))


@cache
def _table(code_of: Callable[[int], int]) -> bytes:
    """Made when first something is encoded; a worker mostly only decodes."""
    return bytes(code_of(n - 65_536 if n > 32_767 else n) for n in range(65_536))


ULAW_TO_ALAW = bytes(alaw_of(sample) for sample in _FROM_ULAW)
ALAW_TO_ULAW = bytes(ulaw_of(sample) for sample in _FROM_ALAW)
