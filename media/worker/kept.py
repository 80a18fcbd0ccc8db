"""What a worker keeps of calls for an exchange that comes back.

The newest snapshot of each call, and the figures of legs that have ended: until the exchange says
that the call's record is written. Nothing of it is on a disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from media.values import LegId, LegStats, StoredCall

MOST_ENDED = 10_000
"""Calls kept beyond their end, the oldest given up first: some 30 MB."""


@dataclass(slots=True)
class _Kept:
    snapshot: bytes
    figures: dict[LegId, LegStats] = field(default_factory=dict)


class Kept:
    """By call."""

    def __init__(self) -> None:
        self._calls: dict[str, _Kept] = {}
        self._ended: dict[str, None] = {}  # in the order of their ends

    def __iter__(self) -> Iterator[str]:
        return iter(self._calls)

    def store(self, call: str, snapshot: bytes) -> None:
        """The newest state of a call."""
        if call in self._calls:
            self._calls[call].snapshot = snapshot
        else:
            self._calls[call] = _Kept(snapshot)

    def left(self, call: str, leg: LegId, figures: LegStats) -> None:
        """A leg of it ended."""
        if call in self._calls:
            self._calls[call].figures[leg] = figures

    def ended(self, call: str) -> None:
        """Its last leg is gone."""
        if call in self._calls:
            self._ended[call] = None
            if len(self._ended) > MOST_ENDED:
                self.forget([next(iter(self._ended))])

    def forget(self, calls: Iterable[str]) -> None:
        """Their records are written."""
        for call in calls:
            if call in self._ended:
                del self._ended[call], self._calls[call]

    def as_stored(self, call: str, legs: Iterable[LegId]) -> StoredCall:
        """For whoever asks what lives here, and what ended unrecorded."""
        kept = self._calls.get(call)
        if kept is None:
            return StoredCall(call, tuple(sorted(legs)), b"")
        return StoredCall(call, tuple(sorted(legs)), kept.snapshot, kept.figures)
