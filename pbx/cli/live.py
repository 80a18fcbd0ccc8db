"""Tables that follow what happens: drawn again and again until Ctrl-C."""

import time
from collections.abc import Callable
from typing import Annotated, Final

import typer

from pbx.cli.output import say

EVERY: Final = 2.0
CLEAR: Final = "\x1b[H\x1b[2J"

WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Draw it again every two seconds, until Ctrl-C.")
]


def draw(shown: Callable[[], None], *, watch: bool, every: float = EVERY) -> None:
    """Once, or for as long as somebody watches."""
    shown()
    while watch:
        time.sleep(every)
        say(CLEAR)
        shown()
