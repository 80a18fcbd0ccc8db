"""A transcript for the documentation: what people typed and were shown, in words that stay.

Identifiers, moments, codes and ports are different in each run. They become names that the story
gives them, or that follow from the order in which they first appear; everything else stands as it
was shown, so the file is compared line by line.
"""

import asyncio
import difflib
import itertools
import math
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
MOMENT = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d)(:\d\d)?\b")
MICROSECONDS = re.compile(r"\b1\d{15}\b")
HEADER = re.compile(r"[A-Z][A-Z-]*(?: [A-Z-]+)*(?: {2,}[A-Z][A-Z-]*(?: [A-Z-]+)*)+ *")
AFTER_A_TABLE = ("note  ", "more  ", "forwarded as ", "Operation ")
LABELLED = re.compile(r"\b([a-z]+)(?:: | )$")
VARIES = {"SECONDS": "2", "ROW": "exchange …"}
"""Columns of which every cell is another in each run."""
WORDS = {
    r"shown once: [A-Z0-9]{10}\b": "shown once: HALF-OF-CODE",
    r"\buid \d+\b": "uid …",
    r"within \d+ ms": "within … ms",
    r"\b\d+ rows in\b": "… rows in",
    r"\bin \d chains\b": "in … chains",
    r"\b\d+\.\d s\b": "… s",
    r'"[0-9a-f]{32}(?:[0-9a-f]{32})?"': '"…"',
    r'"(milliseconds|seconds|segments)":\d+': r'"\1":…',
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00": "today",
}
"""What else varies."""
SPANS = {
    "30 minutes": 1_800,
    "an hour": 3_600,
    "12 hours": 43_200,
    "a day": 86_400,
    "14 days": 14 * 86_400,
    "30 days": 30 * 86_400,
    "a year": 365 * 86_400,
}
"""What the story speaks of; a test that runs for minutes still means the same span."""


@dataclass
class Transcript:
    """Prose and commands, piece by piece; `text` is the file."""

    named: dict[str, str] = field(default_factory=dict)
    """Identifiers, by the story's names for them."""
    replaced: dict[str, str] = field(default_factory=dict)
    """Texts, such as paths, by what stands for them."""
    _pieces: list[str] = field(default_factory=list)
    _hours: list[tuple[int, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n\n".join(self._pieces) + "\n"

    async def clock(self, hour: str) -> None:
        """From the next second on it is this hour of the story; rows are shown to the second."""
        second = int(time.time())
        while int(time.time()) == second:  # noqa: ASYNC110  # nothing tells when a second is over
            await asyncio.sleep(0.01)
        self._hours.append((second + 1, hour))

    def says(self, prose: str) -> None:
        self._pieces.append(prose.strip())

    def shows(self, who: str, command: str, screen: str, only: str = "") -> None:
        """Of the screen `only` lines with this pattern, if there is one."""
        lines = self.laid_out(screen)
        if only:
            lines = [line for line in lines if re.search(only, line)] + ["[…]"]
        lines = [f"{who}$ {self.plain(command)}", *lines]
        self._pieces.append("\n".join(("```text", *lines, "```")))

    def laid_out(self, screen: str) -> list[str]:
        """The screen in plain words; columns are as wide as those are."""
        found: list[str] = []
        lines = screen.rstrip("\n").split("\n")
        while lines:
            if not HEADER.fullmatch(lines[0]):
                found.append(self.plain(lines.pop(0)).rstrip())
                continue
            starts = [cell.start() for cell in re.finditer(r"\S+(?: \S+)*", lines[0])]
            table = [lines.pop(0)]
            while lines and lines[0].strip() and not lines[0].startswith(AFTER_A_TABLE):
                table.append(lines.pop(0))
            found += self._table(table, [*starts, None])
        return found if found != [""] else []

    def _table(self, lines: list[str], starts: list[int | None]) -> list[str]:
        spans = list(itertools.pairwise(starts))
        head = [lines[0][a:b].strip() for a, b in spans]
        rows = [head]
        for line in lines[1:]:
            cells = [line[a:b].strip() for a, b in spans]
            rows.append([self._cell(*one) for one in zip(head, cells, strict=True)])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]

    def _cell(self, column: str, text: str) -> str:
        if column in VARIES:
            return VARIES[column]
        return self._name(text, column) if UUID.fullmatch(text) else self.plain(text)

    def plain(self, text: str) -> str:
        for varying, name in self.replaced.items():
            text = text.replace(varying, name)
        for pattern, words in WORDS.items():
            text = re.sub(pattern, words, text)
        text = UUID.sub(lambda found: self._name(found[0], _label(text, found.start())), text)
        text = MICROSECONDS.sub(lambda found: self._moment(int(found[0]) / 1e6), text)
        return MOMENT.sub(self._shown, text)

    def _name(self, identifier: str, kind: str) -> str:
        """The story's, or one by what it is of and the order of appearance."""
        kind = "PROPOSAL" if kind == "APPROVE" else kind
        if identifier not in self.named:
            number = 1 + sum(name.startswith(f"{kind}-") for name in self.named.values())
            self.named[identifier] = f"{kind}-{number}"
        return self.named[identifier]

    def _shown(self, found: re.Match[str]) -> str:
        if found[2]:
            return self._moment(datetime.fromisoformat(found[0]).timestamp())
        at = datetime.fromisoformat(found[1]).timestamp()
        return "(earlier)" if at <= time.time() else self._moment(at)

    def _moment(self, at: float) -> str:
        now = time.time()
        if at > now:
            return f"(in {_span(at - now)})"
        if at < self._hours[0][0]:
            return f"({_span(now - at)} ago)"
        return [hour for since, hour in self._hours if since <= at][-1]

    def difference(self, kept: Path) -> str:
        """Empty: the file says what was seen."""
        before = kept.read_text() if kept.exists() else ""
        lines = difflib.unified_diff(
            before.splitlines(), self.text.splitlines(), str(kept), "this run", lineterm="", n=2
        )
        return "\n".join(lines)


def _label(text: str, at: int) -> str:
    """The word before an identifier."""
    found = LABELLED.search(text[:at])
    return found[1].upper() if found else "ID"


def _span(seconds: float) -> str:
    return min(SPANS, key=lambda name: abs(math.log(SPANS[name] / seconds)))
