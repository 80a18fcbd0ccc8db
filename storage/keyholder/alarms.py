"""What the key holder itself finds wrong: shown through the exchange, and in a log of its own.

An exchange that was taken over can leave out the one, not the other.
"""

from collections.abc import Iterator

import structlog

log = structlog.get_logger()


class Alarms:
    """Sentences without anybody's data; each stays until the next start."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def add(self, sentence: str) -> None:
        if sentence not in self._found:
            self._found.add(sentence)
            log.error("the key holder raises an alarm", reason=sentence)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._found))
