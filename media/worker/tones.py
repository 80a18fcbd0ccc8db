"""Call progress tones as samples (ITU-T E.180, North American plan)."""

import math
from array import array

AMPLITUDE = 6_000
"""About -15 dBm0 for each frequency."""

SILENT: tuple[float, ...] = ()

CADENCES: dict[str, tuple[tuple[tuple[float, ...], float], ...]] = {
    "ringback": (((440, 480), 2.0), (SILENT, 4.0)),
    "busy": (((480, 620), 0.5), (SILENT, 0.5)),
    "congestion": (((480, 620), 0.25), (SILENT, 0.25)),
    "beep": (((1000,), 0.3), (SILENT, 0.1)),
    "test": (((1000,), 1.0),),
    "hold": (((523.25,), 0.25), ((659.25,), 0.25), ((783.99,), 0.25), ((659.25,), 0.25)),
    "not-in-service": (
        ((985.2,), 0.33),
        ((1370.6,), 0.33),
        ((1776.7,), 0.33),
        (SILENT, 0.51),
    ),
}
"""Name -> (frequencies, seconds), one round of it; "test" repeats without a seam."""


def samples(name: str, rate: int) -> "array[int]":
    """One round of a tone as 16-bit samples."""
    made = array("h")
    for frequencies, seconds in CADENCES[name]:
        made.extend(_mixed(frequencies, round(rate * seconds), rate))
    return made


def _mixed(frequencies: tuple[float, ...], count: int, rate: int) -> list[int]:
    steps = [2 * math.pi * frequency / rate for frequency in frequencies]
    return [int(sum(AMPLITUDE * math.sin(step * n) for step in steps)) for n in range(count)]
