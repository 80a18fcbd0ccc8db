"""The console on a terminal of 80 columns and 24 lines, driven by keys, against a running exchange.

CONSOLE_PICTURES names a directory that gets a picture of each panel (docs/console has them).
"""

import asyncio
import os
import re
import shlex
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.widgets import DataTable, TabbedContent

from pbx.admin.wire.console import ConsoleView
from pbx.cli.client import AdminClient
from pbx.cli.console_app import Console
from pbx.cli.console_tables import PANELS
from storage.sealed.primitives import hotp
from tests.support.phone import Account, Phone
from tests.support.quickstarted import DOMAIN, Running, quickstarted
from tests.support.tmux import Screen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

COLOUR = re.compile(r"\x1b\[[0-9;]*\b(3[0-8]|4[0-8]|9[0-7]|10[0-7])\b[0-9;]*m")


@pytest.fixture
async def running(open_path: Path) -> AsyncIterator[Running]:
    async with quickstarted(open_path / "pbx") as started:
        yield started


@pytest.fixture
async def phone(running: Running) -> AsyncIterator[Phone]:
    """Phone 1001 of quickstart, registered."""
    made = running.phones["phone 1001"]
    phone = Phone(Account(username=made.username, domain=DOMAIN, password=made.secret))
    await phone.connect(("127.0.0.1", running.port), running.trust())
    assert (await phone.register()).status == 200
    yield phone
    phone.close()


def terminal(running: Running, **more: str) -> Screen:
    root = running.layout.root
    words = [sys.executable, "-P", "-m", "pbx", "console", "--every", "1", "--data", str(root)]
    variables = {"PBX_SESSION": str(root.parent / "session"), "LC_ALL": "C.UTF-8", **more}
    name = f"tmux-{len(list(root.parent.iterdir()))}-{len(more)}"
    return Screen(root.parent / name, shlex.join(words), variables)


async def test_keys_lead_through_everything_and_locking_empties_the_screen(
    running: Running, phone: Phone
) -> None:
    with terminal(running) as screen:
        shown = await screen.shows("1 Health", "3 Phones 1", "process exchange", "locks in")
        assert all(len(line) <= 80 for line in shown.splitlines())
        screen.keys("3")
        await screen.shows("SAYS IT IS", "phone 1001", "TLSv1.3")
        screen.keys("Enter")
        await screen.shows("escape goes back", "digest SHA-256")
        screen.keys("Escape")  # alone: with the next key it would be another one
        await screen.shows("phone 1001", without="goes back")
        screen.keys("6")
        await screen.shows("console.watched", "registration.started")
        screen.keys("/")
        screen.keys("registration", "Enter")
        await screen.shows("registration.started", without="console.watched")
        screen.keys("Escape")
        await screen.shows("console.watched")
        screen.keys("?")
        await screen.shows("lock: sign out")
        screen.keys("q")
        await screen.shows("console.watched", without="lock: sign out")

        screen.keys("3")
        await screen.shows("phone 1001")
        screen.keys("l")
        locked = await screen.shows("Locked", "You have signed out.")
        assert "phone 1001" not in locked
        assert (await running.pbx("whoami"))[0] == 3

        screen.keys("Enter")
        await screen.shows("Password:")
        screen.keys(running.password, "Enter")
        await screen.shows("Second factor code:")
        screen.keys(hotp(running.totp, int(time.time()) // 30 + 1), "Enter")
        await screen.shows("phone 1001")
        screen.keys("q")
        await screen.shows("left with 0")
    assert (await running.pbx("whoami"))[0] == 0


async def test_a_session_ended_elsewhere_locks_the_screen(running: Running, phone: Phone) -> None:
    with terminal(running) as screen:
        screen.keys("3")
        await screen.shows("phone 1001")

        await running.done("logout")

        locked = await screen.shows("Locked", "q leaves")
        assert "phone 1001" not in locked
        screen.keys("q")
        await screen.shows("left with 0")


@pytest.mark.phoneless
async def test_without_colour_there_is_none(running: Running) -> None:
    with terminal(running) as screen:
        await screen.shows("process exchange")
        assert COLOUR.search(screen.tmux("capture-pane", "-p", "-e"))
    with terminal(running, NO_COLOR="1") as screen:
        await screen.shows("process exchange")
        found = COLOUR.findall(screen.tmux("capture-pane", "-p", "-e"))
        assert set(found) <= {"38", "48"}


async def test_every_panel_is_drawn_from_what_the_exchange_answers(
    running: Running, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBX_SESSION", str(running.layout.root.parent / "session"))
    token = (running.layout.root.parent / "session").read_text().split()[0]

    def look(pressed: bool) -> ConsoleView:
        with AdminClient(running.layout, {"Authorization": f"Bearer {token}"}) as client:
            return client.get("/v1/console", ConsoleView)

    first = await asyncio.to_thread(look, False)
    app = Console(look, sign_in=lambda: None, sign_out=lambda: None, first=first, every=60)
    async with app.run_test(size=(80, 24)) as pilot:
        for number, panel in enumerate(PANELS, 1):
            await pilot.press(str(number))
            await pilot.pause()
            assert app.query_one("#panels", TabbedContent).active == f"panel-{number}"
            table = app.query_one(f"#table-{number}", DataTable)
            assert table.row_count == len(panel.rows(first) or [])
            if "CONSOLE_PICTURES" in os.environ:
                picture = Path(os.environ["CONSOLE_PICTURES"]) / f"{panel.name.lower()}.svg"
                drawn = app.export_screenshot(title=f"pbx console: {panel.name}")
                picture.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL))
