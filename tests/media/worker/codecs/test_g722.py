"""G.722 through PyAV."""

import math

from media.worker.codecs import g722
from tests.support.tone import power


def test_a_tone_above_telephone_bandwidth_survives() -> None:
    sine = [int(8000 * math.sin(2 * math.pi * 5000 * n / 16_000)) for n in range(16_001)]

    octets = g722.encode(sine)
    heard = g722.decode(octets)

    assert len(octets) == 8160  # padded to whole frames of 20 ms
    assert power(list(heard[800:]), 16_000, 5000) > 0.95
