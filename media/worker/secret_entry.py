"""Key presses that are a secret: collected here, overwritten here, never told or logged.

The exchange learns how an entry ended and nothing else, not even how many keys it was.
"""

from collections.abc import Callable
from typing import Literal

from media.recordings import SecretEntered, SecretEntry, SecretName
from media.worker.loop import Deadline, Loop

Outcome = Literal["complete", "timeout", "too-short", "too-long", "cancelled", "different"]

CANCEL = "*"
KEPT = 120.0
"""Seconds a secret waits to be sealed: as long as a challenge is good for."""


class SecretEntries:
    """What was typed on one leg, by name, until it is sealed or forgotten."""

    def __init__(self, leg: str, loop: Loop, tell: Callable[[SecretEntered], None]) -> None:
        self._leg, self._loop, self._tell = leg, loop, tell
        self._asked: SecretEntry | None = None
        self._typed, self._count = bytearray(), 0
        self._kept: dict[SecretName, bytearray] = {}
        self._deadline: Deadline | None = None
        self._expiry: Deadline | None = None

    @property
    def is_open(self) -> bool:
        """Whether keys are being collected."""
        return self._asked is not None

    def begin(self, asked: SecretEntry) -> None:
        """Collect from now on; what was begun before is forgotten."""
        self._stop()
        self._asked = asked
        # As long as it may ever be: a bytearray that grows would leave copies behind.
        self._typed = bytearray(max(asked.maximum, 1) + 1)
        self._count = 0
        self._wait(asked.first_ms)

    def key(self, digit: str) -> bool:
        """Takes every key while collecting, and swallows what comes after."""
        asked = self._asked
        if asked is None:
            return True
        if digit == CANCEL:
            self._end("cancelled")
        elif digit in asked.end:
            self._end("complete" if self._count >= asked.minimum else "too-short")
        elif self._count >= asked.maximum:
            self._end("too-long")
        else:
            self._typed[self._count] = ord(digit)
            self._count += 1
            self._wait(asked.next_ms)
        return True

    def secrets(self) -> dict[str, bytearray]:
        """Everything that was entered; the caller overwrites it."""
        found = {str(name): secret for name, secret in self._kept.items()}
        self._kept = {}
        return found

    def forget(self) -> None:
        """All of it is gone."""
        self._stop()
        for secret in self._kept.values():
            secret[:] = bytes(len(secret))
        self._kept = {}
        if self._expiry is not None:
            self._expiry.cancel()

    def _end(self, outcome: Outcome) -> None:
        asked = self._asked
        if asked is None:
            return
        if outcome == "complete":
            outcome = self._keep(asked)
        self._stop()
        self._tell(SecretEntered(self._leg, asked.name, outcome))

    def _keep(self, asked: SecretEntry) -> Outcome:
        entered = self._typed[: self._count]
        before = self._kept.get(asked.name)
        if asked.again:
            is_same = before == entered
            entered[:] = bytes(len(entered))
            if not is_same and before is not None:
                before[:] = bytes(len(before))
                del self._kept[asked.name]
            return "complete" if is_same else "different"
        if before is not None:
            before[:] = bytes(len(before))
        self._kept[asked.name] = entered
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._loop.at(self._loop.now() + KEPT, self.forget)
        return "complete"

    def _wait(self, milliseconds: int) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        due = self._loop.now() + milliseconds / 1000
        self._deadline = self._loop.at(due, lambda: self._end("timeout"))

    def _stop(self) -> None:
        self._asked = None
        self._typed[:] = bytes(len(self._typed))
        self._count = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
