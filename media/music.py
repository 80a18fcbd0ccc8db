"""Music for those who wait, made by this file alone, so that nobody's rights are touched.

Broken chords over a slow bass, soft enough for a telephone; the end leads into the beginning. The
clinic replaces it with a recording of its own, `music-on-hold.wav`.
"""

import math
from array import array

NOTE_SECONDS = 0.4
CHORDS = (  # a bass note and the four notes above it, in semitones from middle C
    (-12, (0, 4, 7, 12)),
    (-15, (-3, 0, 4, 9)),
    (-19, (-7, -3, 0, 5)),
    (-17, (-5, -1, 2, 7)),
    (-12, (4, 7, 12, 16)),
    (-15, (0, 4, 9, 12)),
    (-10, (-7, -3, 2, 5)),
    (-17, (-5, 2, 5, 11)),
)
MIDDLE_C = 261.63
LOUDNESS = 4_500
"""About -18 dBm0: quieter than speech."""
DECAY = 2.2
"""How fast a plucked note fades, per second."""


def samples(rate: int) -> "array[int]":
    """One round of it as 16-bit samples."""
    step = round(NOTE_SECONDS * rate)
    total = step * sum(len(notes) for _, notes in CHORDS)
    mixed = [0.0] * total
    at = 0
    for bass, notes in CHORDS:
        _pluck(mixed, at, bass, 0.5, rate, step * len(notes))
        for note in notes:
            _pluck(mixed, at, note, 1.0, rate, 2 * step)
            at += step
    return array("h", (int(LOUDNESS * sample) for sample in mixed))


def _pluck(mixed: list[float], at: int, note: int, loudness: float, rate: int, count: int) -> None:
    """A note that begins and ends without a click; what rings over the end rings at the start."""
    turn = 2 * math.pi * MIDDLE_C * 2 ** (note / 12) / rate
    fade, total = rate // 50, len(mixed)
    for n in range(count):
        edge = min(1.0, n / fade, (count - n) / fade)
        sound = math.sin(turn * n) + 0.2 * math.sin(2 * turn * n)
        mixed[(at + n) % total] += loudness * edge * math.exp(-DECAY * n / rate) * sound
