"""What a phone hears from a moment on, in a recording that is still being written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.support.tone import read_wav, seconds_of

MUSIC_HZ = 659.25
"""The note that fills half of the music on hold, where no recording of it was prepared."""


class Ear:
    """`await ear.hears(440.0)`: from now on, for long enough."""

    def __init__(self, path: str | Path | Callable[[], Path], rate: int = 16_000) -> None:
        self._path = path if callable(path) else lambda: Path(path)
        self._rate = rate
        self._mark: tuple[Path, int] = (Path(), 0)

    async def hears(
        self, hertz: float, seconds: float = 0.6, *, never: tuple[float, ...] = (),
        patience: float = 60.0,
    ) -> None:  # fmt: skip
        """Wait for so much of a tone from now on, in which there is nothing of some others."""
        self.listen()
        heard = 0.0
        try:
            async with asyncio.timeout(patience):
                heard = self.heard(hertz)
                while heard < seconds:
                    await asyncio.sleep(0.1)
                    heard = self.heard(hertz)
        except TimeoutError:
            raise AssertionError(f"{heard:.2f} s of {hertz} Hz heard, not {seconds} s") from None
        for other in never:
            assert self.heard(other) < 0.1, f"{other} Hz was heard beside {hertz} Hz"

    def listen(self) -> None:
        """Forget what was heard before."""
        path = self._path()
        self._mark = (path, len(self._samples(path)))

    def heard(self, hertz: float) -> float:
        """Seconds of a tone since `listen`."""
        path = self._path()
        start = self._mark[1] if path == self._mark[0] else 0
        return seconds_of(self._samples(path)[start:], self._rate, hertz)

    def _samples(self, path: Path) -> list[int]:
        return read_wav(path, self._rate)[0] if path.exists() else []
