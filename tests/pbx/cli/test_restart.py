"""`pbx restart`: who may, what it says while it waits, and when it is back."""

import asyncio
import io
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from pbx.restarting import Restart
from tests.support.clinic import Clinic

Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def command(clinic: Clinic, capsys: Any, monkeypatch: Any, tmp_path: Any) -> Command:
    await clinic.found()
    monkeypatch.setattr("pbx.cli.restart.EVERY", 0.01)
    monkeypatch.setenv("PBX_SESSION", str(tmp_path / "root"))
    first = clinic.context.restart = Restart(lambda: _replace(clinic))
    first.calls = clinic.telephony.calls

    async def run(*words: str) -> tuple[int, str, str]:
        member = await clinic.present(clinic.members["root"])
        (tmp_path / "root").write_text(member.token)
        (tmp_path / "root").chmod(0o600)
        monkeypatch.setattr("sys.stdin", io.StringIO(""))
        capsys.readouterr()
        arguments = ["restart", *words, "--data", str(clinic.layout.root)]
        code = await asyncio.to_thread(cli.run, arguments)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def _replace(clinic: Clinic) -> None:
    """Another process answers from now on."""
    clinic.context.restart = Restart(lambda: _replace(clinic))


class Busy:
    """Calls that do not end."""

    is_draining = False
    unsettled = 2

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def __len__(self) -> int:
        return 3

    async def idle(self) -> None:
        await self.over.wait()

    until_settled = idle


async def test_it_says_when_it_is_back_and_leaves_a_row(clinic: Clinic, command: Command) -> None:
    code, out, _ = await command()
    assert (code, out) == (Exit.DONE, "The exchange is back.\n")

    [row] = [row for row in await clinic.rows() if row.action == "system.restarted"]
    assert json.loads(row.after) == {"drain": False, "seconds": 60}
    code, out, _ = await command("--json")
    assert (code, json.loads(out)["state"]) == (Exit.DONE, "none")


async def test_it_shows_what_it_waits_for_and_can_be_called_off(
    clinic: Clinic, command: Command
) -> None:
    busy = Busy()
    clinic.context.restart.calls = busy  # type: ignore[assignment]
    code, out, _ = await command("--drain", "--within", "10m", "--no-wait")
    assert (code, out) == (Exit.DONE, "Waiting for 3 calls to end; 11 min left.\n")
    code, out, _ = await command("--within", "45s", "--no-wait")
    assert out == "Waiting for 2 calls to be answered or to end; 50 s left.\n"
    assert busy.is_draining

    assert (await command("--call-off"))[:2] == (Exit.DONE, "The exchange is not restarted.\n")
    assert not busy.is_draining
    busy.over.set()
    await command("--no-wait")
    clinic.context.restart.is_giving_way = True
    code, _, error = await command("--call-off")
    assert (code, "too late" in error) == (Exit.FOUND, True)


async def test_whoever_watches_hears_that_it_was_called_off(
    clinic: Clinic, command: Command
) -> None:
    clinic.context.restart.calls = Busy()  # type: ignore[assignment]
    loop, off = asyncio.get_running_loop(), clinic.context.restart.call_off
    threading.Timer(1.0, lambda: loop.call_soon_threadsafe(off)).start()
    code, out, error = await command("--drain")
    assert (code, error) == (Exit.FOUND, "pbx: The restart was called off.\n")
    assert out.startswith("Waiting for 3 calls to end;")


@pytest.mark.parametrize("within", ["soon", "2d", "99999h", "-1s"])
async def test_a_span_is_a_span(command: Command, within: str) -> None:
    code, _, error = await command(f"--within={within}")
    assert (code, "--within is written" in error) == (Exit.USAGE, True)
