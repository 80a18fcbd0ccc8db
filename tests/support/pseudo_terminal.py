"""A command at a terminal of its own: what it asks is read, and answered as a person would."""

import fcntl
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self


class Terminal:
    """`pbx ...` that believes somebody sits there."""

    def __init__(self, words: Sequence[str], patience: float = 120) -> None:
        self.seen = ""
        self._patience = patience
        self._ours, theirs = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pbx", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "dumb", "COLUMNS": "200"},
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._ours)
        self._process.kill()
        self._process.wait()

    def until(self, words: str) -> str:
        """What was shown up to these words, for the first time since the last answer."""
        end = time.monotonic() + self._patience
        while words not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], max(end - time.monotonic(), 0))
            assert ready, f"never said {words!r}: {self.seen[-500:]}"
            self.seen += self._read()
        before, _, self.seen = self.seen.partition(words)
        return before

    def answer(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def ended(self) -> int:
        """Its exit code, when everything it says was read."""
        while more := self._read():
            self.seen += more
        return self._process.wait(self._patience)

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65_536).decode(errors="replace")
        except OSError:
            return ""  # nobody holds the other end any more
