"""Which tone is in this sound? A DFT of one bin per candidate (Goertzel), no numpy needed."""

from __future__ import annotations

import asyncio
import math
import os
import struct
from collections.abc import Callable
from pathlib import Path


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


def read_wav(path: str | Path, rate: int = 16_000) -> tuple[list[int], int]:
    """Mono 16-bit samples of a PJSIP recording, which has no header until it is closed."""
    data = Path(path).read_bytes()[44:]
    count = len(data) // 2
    return list(struct.unpack(f"<{count}h", data[: count * 2])), rate


def seconds_of(samples: list[int], rate: int, hertz: float, *, window: float = 0.02) -> float:
    """How long the tone is heard, in windows of 20 ms."""
    size = int(rate * window)
    windows = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    return window * sum(power(part, rate, hertz) > 0.5 for part in windows)


def purity(samples: list[int], rate: int, hertz: float, *, window: float = 0.02) -> float:
    """Share of the windows that sound, in which the tone is what sounds."""
    size = int(rate * window)
    windows = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
    sounding = [part for part in windows if max(part) > 200]
    return sum(power(part, rate, hertz) > 0.5 for part in sounding) / max(len(sounding), 1)


async def until_heard(
    path: str | Path | Callable[[], Path],
    hertz: float,
    *,
    seconds: float,
    patience: float = 60.0,
    rate: int = 16_000,
) -> None:
    """Wait until this much of the tone stands in a recording that is still being written."""
    heard = 0.0
    try:
        async with asyncio.timeout(patience):
            while heard < seconds:
                await asyncio.sleep(0.1)
                file = path() if callable(path) else path
                if os.path.exists(file):  # noqa: ASYNC240 - a test, a local file
                    samples, rate = read_wav(file, rate)
                    heard = seconds_of(samples, rate, hertz)
    except TimeoutError:
        raise AssertionError(f"{heard:.2f} s of {hertz} Hz heard, not {seconds} s") from None
