"""The journal in parts: closed ones beside the one that is written, so that a start reads one.

A part is closed when it has grown long: its last entry took effect and is on the disk, then the
next part is written beside it, with the key holder's signature over where the closed one ends, and
both change names. Whatever a crash leaves between those steps is finished at the next start. The
chain goes through all parts without a seam; whoever verifies walks them all.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from storage.keyholder.journal import Entry, Journal, JournalError, Position
from storage.sealed import primitives

LONGEST = 4 * 1024 * 1024
"""About 20,000 entries, which a start reads in a fraction of a second."""
_DIGITS = 12
_LABEL = "signature journal part v1"

Crash = Callable[[str], None]


def closed(path: Path) -> list[Path]:
    """The closed parts of the journal at `path`, the oldest first."""
    prefix = f"{path.name}."
    found = [
        other
        for other in path.parent.iterdir()
        if other.name.startswith(prefix) and _is_number(other.name.removeprefix(prefix))
    ]
    return sorted(found)


def _is_number(text: str) -> bool:
    return len(text) == _DIGITS and text.isascii() and text.isdigit()


def cut(journal: Journal, signing_key: primitives.Bytes, at: Crash) -> None:
    """Closes the part; its last entry must have taken effect. On failure nothing has changed."""
    path, place = journal.path, journal.position
    fresh, archive = _fresh(path), path.with_name(f"{path.name}.{place.sequence:0{_DIGITS}}")
    fresh.unlink(missing_ok=True)
    following = Journal(fresh)
    try:
        following.start(place, primitives.sign(signing_key, _LABEL, _body(place)))
        at("next part prepared")
        journal.flush()
        os.rename(path, archive)
        at("part closed, none in its place")
        os.replace(fresh, path)
    except OSError:
        following.close()
        if archive.exists() and not path.exists():
            os.rename(archive, path)
        raise
    sync(path.parent)
    at("part cut")
    journal.go_on_in(following)


def finish(path: Path) -> None:
    """What a crash left of a cut: forgotten if the part is still there, else completed."""
    if path.exists():
        _fresh(path).unlink(missing_ok=True)
    elif _fresh(path).exists():
        os.replace(_fresh(path), path)
        sync(path.parent)


def walk(path: Path, pinned: bytes | None = None) -> Iterator[Journal]:
    """Every part, verified and read-only, each going on where the one before ended."""
    end, number = None, 0
    while True:
        parts = closed(path)
        part = parts[number] if number < len(parts) else path
        journal = _opened(part)
        try:
            journal.load()
            if part == path and len(closed(path)) > number:
                continue  # it was cut while we read
            _check_seam(journal, end, pinned)
            yield journal
            end, number = journal.position, number + 1
            if part == path:
                return
        finally:
            journal.close()


def _opened(part: Path) -> Journal:
    try:
        return Journal(part, evidence=True)
    except OSError:
        raise JournalError("journal: missing or not readable") from None


def _check_seam(journal: Journal, end: Position | None, pinned: bytes | None) -> None:
    if (end is not None and journal.base != end) or (end is None and journal.signature):
        raise JournalError("journal: a closed part is missing or was altered")
    if not journal.signature or pinned is None:
        return
    if not primitives.verify(pinned, _LABEL, _body(journal.base), journal.signature):
        raise JournalError("journal: a part is not signed by the key holder")


def surviving(path: Path) -> list[Entry]:
    """The entries of a journal that outlived its store; the files are not touched."""
    return [entry for part in walk(path) for entry in part.entries()]


class Pages:
    """Reads anywhere in the journal; keeps the closed part it read last."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._part: Journal | None = None

    def page(self, start: int) -> tuple[bytes, ...]:
        if start > self._journal.base.sequence:
            return self._journal.page(start)
        if (
            self._part is None
            or not self._part.base.sequence < start <= self._part.position.sequence
        ):
            self._turn_to(start)
        return (self._part or self._journal).page(start)

    def _turn_to(self, start: int) -> None:
        self.close()
        for path in closed(self._journal.path):
            if start <= int(path.name[-_DIGITS:]):
                self._part = Journal(path, evidence=True)
                self._part.load()
                return

    def close(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None


def _fresh(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _body(place: Position) -> bytes:
    return place.sequence.to_bytes(8, "big") + place.chain


def sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
