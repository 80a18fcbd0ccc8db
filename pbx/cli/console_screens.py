"""What the console lays over its tables: keys, one row in full, and the lock."""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

KEYS = (
    ("1 … 6", "the panels"),
    ("tab, arrows", "move"),
    ("enter", "one row in full"),
    ("/", "only rows with these words; escape shows all again"),
    ("p", "stand still; p again goes on"),
    ("r", "look now"),
    ("l", "lock: sign out"),
    ("q", "leave, signed in"),
)


class Sheet(ModalScreen[None]):
    """Lines of two columns; any of its keys takes it away."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,question_mark", "dismiss", "Back")
    ]

    def __init__(self, title: str, lines: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        text = Text()
        text.append(f"{self._title}\n\n", "bold")
        width = max((len(name) for name, _ in self._lines), default=0)
        for name, meaning in self._lines:
            text.append(f"{name:<{width}}  ", "bold")
            text.append(f"{meaning}\n")
        text.append("\nescape goes back")
        with VerticalScroll(id="sheet"):
            yield Static(text)


class Locked(Screen[None]):
    """Shows nothing of the exchange; stays until somebody has signed in again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "app.sign_in", "Sign in"),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self, why: str) -> None:
        super().__init__()
        self._why = why

    def compose(self) -> ComposeResult:
        text = Text("Locked\n\n", "bold", justify="center")
        text.append(f"{self._why}\n\n", "not bold")
        text.append("enter signs in again, q leaves", "not bold")
        yield Static(text, id="lock")
