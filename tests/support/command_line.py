"""`pbx ...` run in this process, as one member of a clinic types it."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from tests.support.clinic import Clinic, Member

Command = Callable[..., Awaitable[tuple[int, str, str]]]
"""Answers the exit code, and what stood on standard output and standard error."""


@pytest.fixture
def command(
    clinic: Clinic,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Command:
    """As one member, or nobody; secrets come on standard input, `by` names a second factor."""

    async def run(
        who: Member | None, *words: str, typed: str = "", by: str = ""
    ) -> tuple[int, str, str]:
        monkeypatch.setenv("PBX_SESSION", str(tmp_path / (who.login if who else "nobody")))
        monkeypatch.setenv("PBX_SECOND_FACTOR", by)
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        capsys.readouterr()
        code = await asyncio.to_thread(cli.run, [*words, "--data", str(clinic.layout.root)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def acting(clinic: Clinic, command: Command, tmp_path: Path) -> Command:
    """As a member whose session does not idle out however far time moves; with `proves`, the
    present code of the second factor is the last that is typed."""

    async def run(
        who: Member, *words: str, typed: str = "", proves: bool = False
    ) -> tuple[int, str, str]:
        await clinic.present(who)
        (tmp_path / who.login).write_text(who.token)
        (tmp_path / who.login).chmod(0o600)
        code = f"{clinic.code(who)}\n" if proves else ""
        return await command(who, *words, typed=typed + code)

    return run


@pytest.fixture
async def as_root(clinic: Clinic, acting: Command) -> Command:
    """As the first administrator."""
    await clinic.found()

    async def run(*words: str, **how: Any) -> tuple[int, str, str]:
        return await acting(clinic.members["root"], *words, **how)

    return run


async def signed_in(clinic: Clinic, command: Command, who: Member) -> None:
    typed = f"{who.password}\n{clinic.code(who)}\n"
    code, _, error = await command(who, "login", who.login, typed=typed)
    assert code == Exit.DONE, error
