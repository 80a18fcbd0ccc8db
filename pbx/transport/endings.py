"""Counts of how flows ended, and a log that a flood of bad connections cannot flood."""

from collections import Counter

import structlog

from certs.diagnose import Cause
from pbx.transport.flow import Ending

_log = structlog.get_logger()

_QUIET = 60.0  # seconds between two lines of the same kind


class Endings:
    """One line a minute for each kind of ending; the count says how many it stands for."""

    __slots__ = ("_next_line", "_unreported", "causes", "counts")

    def __init__(self) -> None:
        self.counts: Counter[Ending] = Counter()
        self.causes: Counter[Cause] = Counter()
        self._unreported: Counter[str] = Counter()
        self._next_line: dict[str, float] = {}

    def add(self, ending: Ending, cause: Cause | None, now: float) -> None:
        self.counts[ending] += 1
        if cause is not None:
            self.causes[cause] += 1
        if ending in (Ending.PEER_LEFT, Ending.STOPPING):
            return
        reason: str = cause or ending
        self._unreported[reason] += 1
        if now >= self._next_line.get(reason, now):
            self._next_line[reason] = now + _QUIET
            _log.info("flows ended", reason=reason, count=self._unreported.pop(reason))
