"""Which tone is in this sound? A DFT of one bin per candidate (Goertzel), no numpy needed."""

from __future__ import annotations

import asyncio
import math
import os
import struct
from collections.abc import Callable
from pathlib import Path

WINDOW = 0.02


def power(samples: list[int], rate: int, hertz: float) -> float:
    """Share of the signal's energy that lies in the bin of `hertz` (0 to about 1)."""
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * hertz / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    magnitude = before * before + last * last - coefficient * before * last
    return 2 * magnitude / (len(samples) * energy)


def dominant(samples: list[int], rate: int, candidates: tuple[float, ...]) -> float | None:
    """The candidate that holds more than half of the energy, else None."""
    best = max(candidates, key=lambda hertz: power(samples, rate, hertz))
    return best if power(samples, rate, best) > 0.5 else None


def read_wav(path: str | Path, rate: int = 16_000, start: int = 0) -> tuple[list[int], int]:
    """Mono 16-bit samples of a PJSIP recording, which has no header until it is closed."""
    with open(path, "rb") as file:
        file.seek(44 + 2 * start)
        data = file.read()
    count = len(data) // 2
    return list(struct.unpack(f"<{count}h", data[: count * 2])), rate


def seconds_of(samples: list[int], rate: int, hertz: float, *, window: float = WINDOW) -> float:
    """How long the tone is heard, in windows of 20 ms."""
    size = int(rate * window)
    windows = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    return window * sum(power(part, rate, hertz) > 0.5 for part in windows)


async def until_heard(
    path: str | Path | Callable[[], Path],
    hertz: float,
    *,
    seconds: float,
    patience: float = 60.0,
    rate: int = 16_000,
) -> None:
    """Wait until this much of the tone stands in a recording that is still being written."""
    part = Part(rate)
    try:
        async with asyncio.timeout(patience):
            while part.heard(path() if callable(path) else path, hertz) < seconds:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        heard = part.seconds
        raise AssertionError(f"{heard:.2f} s of {hertz} Hz heard, not {seconds} s") from None


class Part:
    """What of a tone stands in a growing recording, of which each sample is looked at once."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._file: str | Path = ""
        self._seen = 0
        self.seconds = 0.0

    def heard(self, file: str | Path, hertz: float) -> float:
        """Seconds of it so far; another file begins anew."""
        if file != self._file:
            self._file, self._seen, self.seconds = file, 0, 0.0
        if os.path.exists(file):
            samples, _ = read_wav(file, self._rate, self._seen)
            size = int(self._rate * WINDOW)
            whole = samples[: len(samples) // size * size]
            self._seen += len(whole)
            self.seconds += seconds_of(whole, self._rate, hertz)
        return self.seconds
