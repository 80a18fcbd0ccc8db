"""How far a long command is: a bar on the terminal's standard error, nothing for programs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Told = Callable[[int, int], None]
"""So many are done, of so many."""


@contextmanager
def progress(what: str) -> Iterator[Told]:
    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda done, total: None
        return
    columns = (TextColumn(what), *Progress.get_default_columns()[1:2])
    with Progress(
        *columns, TaskProgressColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
