"""The console itself: six tables that follow what happens, driven by the keyboard.

It asks by itself, which keeps no session alive: only a key does. When the session has ended the
screen is emptied and locked.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.text import Text
from textual import events, on, work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static, TabbedContent, TabPane

from pbx.admin.wire.console import ConsoleView
from pbx.cli.console_screens import KEYS, Locked, Sheet
from pbx.cli.console_tables import PANELS, SECOND, Row, clock, labels
from pbx.cli.failures import CommandError
from pbx.cli.lasting import lasting
from pbx.exits import Exit

Look = Callable[[bool], ConsoleView]
"""Asks the exchange; True: a key was pressed since it was asked last. Raises CommandError."""


class Console(App[None]):
    """`look` asks, `sign_in` asks a person on the bare terminal, `sign_out` ends the session."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { overflow: hidden; }
    TabbedContent, TabPane { height: 1fr; }
    #head { height: 1; text-style: bold; }
    #head.wrong { background: $error; color: $text; }
    TabPane { padding: 0; }
    DataTable { height: 1fr; }
    #filter { display: none; height: 1; border: none; padding: 0; }
    Sheet { align: center middle; }
    #sheet { width: 76; height: auto; max-height: 20; border: solid $accent; padding: 0 1;
        background: $surface; }
    Locked { align: center middle; }
    #lock { width: 70; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"panel({number})", panel.name, show=False)
            for number, panel in enumerate(PANELS, 1)
        ),
        # At once: the words that are typed behind it belong to it already.
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        Binding("p", "pause", "Pause"),
        Binding("r", "look", "Now"),
        Binding("l", "lock", "Lock"),
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("escape", "all", show=False),
    ]

    def __init__(
        self,
        look: Look,
        *,
        sign_in: Callable[[], None],
        sign_out: Callable[[], None],
        first: ConsoleView,
        every: float = 2.0,
    ) -> None:
        super().__init__()
        self._ask, self._sign_in, self._sign_out = look, sign_in, sign_out
        self._view: ConsoleView | None = first
        self._every = every
        self._pressed = False
        self._paused = False
        self._trouble = ""

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        with TabbedContent(id="panels"):
            for number, panel in enumerate(PANELS, 1):
                with TabPane(f"{number} {panel.name}", id=f"panel-{number}"):
                    yield DataTable[Text](cursor_type="row", id=f"table-{number}")
        yield Input(placeholder="words; enter keeps them, escape shows all", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        for number, panel in enumerate(PANELS, 1):
            self._table(number).add_columns(*panel.columns)
        self._draw()
        self._table(1).focus()
        self.set_interval(self._every, self._tick)

    async def on_event(self, event: events.Event) -> None:
        """A key or a click is a person; everything else is the screen's own doing."""
        if isinstance(event, events.Key | events.MouseDown):
            self._pressed = True
        await super().on_event(event)

    # --- looking

    def _tick(self) -> None:
        if not self._paused and not isinstance(self.screen, Locked):
            self.action_look()

    @work(exclusive=True)
    async def action_look(self) -> None:
        """Ask the exchange now."""
        pressed, self._pressed = self._pressed, False
        try:
            view = await asyncio.to_thread(self._ask, pressed)
        except CommandError as error:
            if error.code is Exit.REFUSED:
                self._lock(error.sentence)
            else:
                self._trouble = error.sentence
                self._draw_head()
            return
        self._view, self._trouble = view, ""
        self._draw()

    def _lock(self, why: str) -> None:
        self._view = None
        for number in range(1, len(PANELS) + 1):
            self._table(number).clear()
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(Locked(why))

    def action_sign_in(self) -> None:
        """Password and second factor on the bare terminal, as `pbx login` asks for them."""
        why = "You are signed in again."
        with self.suspend():
            try:
                self._sign_in()
            except CommandError as error:
                why = error.sentence
            except (KeyboardInterrupt, EOFError):
                why = "Nobody signed in."
        self.pop_screen()
        if why == "You are signed in again.":
            self.action_look()
        else:
            self.push_screen(Locked(why))

    def action_lock(self) -> None:
        """Sign out, and stay."""
        try:
            self._sign_out()
        except CommandError as error:
            self._lock(error.sentence)
        else:
            self._lock("You have signed out.")

    # --- drawing

    def _table(self, number: int) -> "DataTable[Text]":
        return self.screen_stack[0].query_one(f"#table-{number}", DataTable)

    def _draw(self) -> None:
        view = self._view
        if view is None:
            return
        self._draw_head()
        panels = self.screen_stack[0].query_one("#panels", TabbedContent)
        words = self.screen_stack[0].query_one("#filter", Input).value
        for number, label in enumerate(labels(view), 1):
            tab = panels.get_tab(f"panel-{number}")
            if tab.label.plain != label:
                tab.label = label
            self._fill(self._table(number), PANELS[number - 1].matching(view, words))

    def _fill(self, table: "DataTable[Text]", rows: list[Row]) -> None:
        """The cursor and the scroll stay where they were."""
        at, scrolled = table.cursor_row, table.scroll_y
        table.clear()
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        table.move_cursor(row=min(at, max(len(rows) - 1, 0)), scroll=False)
        table.scroll_to(y=scrolled, animate=False)

    def _draw_head(self) -> None:
        head, view = self.screen_stack[0].query_one("#head", Static), self._view
        if view is None:
            return
        alarms = len(view.status.alarms)
        words = [
            f"hipaa-pbx {view.status.state}",
            f"{alarms} alarm{'' if alarms == 1 else 's'}",
            clock(view.now),
            f"locks in {lasting(max(0, view.locks_at - view.now) // SECOND)}",
        ]
        if self._paused:
            words.append("standing still")
        if self._trouble:
            words = [f"as of {clock(view.now)}", self._trouble]
        head.update(Text(" · ".join(words), no_wrap=True, overflow="ellipsis"))
        head.set_class(bool(self._trouble or alarms), "wrong")

    # --- keys

    def action_panel(self, number: int) -> None:
        """Show this panel and move in it."""
        self.query_one("#panels", TabbedContent).active = f"panel-{number}"
        self._table(number).focus()

    def action_filter(self) -> None:
        """Ask which words."""
        if len(self.screen_stack) > 1:
            return
        field = self.query_one("#filter", Input)
        field.display = True
        self.screen.set_focus(field)

    def action_all(self) -> None:
        """Show every row again."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self._focus_table()

    def action_pause(self) -> None:
        """Stand still, or go on."""
        self._paused = not self._paused
        self._draw_head()

    def action_keys(self) -> None:
        """What the keys do."""
        self.push_screen(Sheet("Keys", KEYS))

    @on(Input.Changed, "#filter")
    def _narrow(self) -> None:
        self._draw()

    @on(Input.Submitted, "#filter")
    def _keep_narrow(self) -> None:
        self._focus_table()

    @on(DataTable.RowSelected)
    def _show_whole(self, event: DataTable.RowSelected) -> None:
        table = event.data_table
        panel = PANELS[int(str(table.id).removeprefix("table-")) - 1]
        cells = [cell.plain for cell in table.get_row(event.row_key)]
        self.push_screen(Sheet(panel.name, list(zip(panel.columns, cells, strict=True))))

    def _focus_table(self) -> None:
        active = self.query_one("#panels", TabbedContent).active
        self.screen.set_focus(self._table(int(active.removeprefix("panel-"))))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """None: there is no palette."""
        return ()
