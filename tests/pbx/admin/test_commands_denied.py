"""Every command that needs a person, found in the running program, refused to one without rights.

Each ends with exit 3 and one sentence, and leaves exactly a refusal in the ledger where it asked
for something privileged.
"""

import asyncio
import io
from typing import Any

import pytest
import typer
from typer.core import TyperArgument, TyperGroup

from pbx.access.roles import Role
from pbx.cli import main as cli
from pbx.cli.manual import Command, commands
from pbx.cli.output import Exit
from tests.support.clinic import Clinic

LOCAL = {
    "cert", "config", "db", "doctor", "init", "manual", "quickstart", "serve", "status",
}  # fmt: skip
"""Nouns that work on the machine itself, or show nothing protected."""
OWN = {
    "pbx breakglass end",
    "pbx breakglass list",
    "pbx breakglass request",
    "pbx enrol",
    "pbx factor add",
    "pbx factor list",
    "pbx factor remove",
    "pbx keys share",
    "pbx login",
    "pbx logout",
    "pbx password",
    "pbx pin",
    "pbx role matrix",
    "pbx second-factor",
    "pbx sessions end",
    "pbx sessions list",
    "pbx voicemail export",
    "pbx voicemail list",
    "pbx voicemail listen",
    "pbx whoami",
}
"""What everybody may do, to themselves, or whoever meets messages may ask for."""
ON_THE_MACHINE = {
    "pbx audit anchor",
    "pbx audit move-off",
    "pbx audit verify",
    "pbx keys restore",
    "pbx keys unlock",
}
"""Verbs for whoever has an account of the installation's own, without a running exchange."""
WORDS = {
    "sequence": "1",
    "kind": "person",
    "role": "billing",
    "place": "private",
    "at": "+1d",
    "value": "3",
    "directory": "/nonexistent",
    "number": "1042",
    "switch": "on",
    "when": "busy",
    "keying": "dtls",
    "to": "1042",
    "most": "1",
}
MORE = {"pbx audit scope": ["--person", "root", "--from", "1d"]}
"""Options of which one has to be said."""
UNKNOWN = "00000000-0000-7000-8000-000000000000"


def leaves() -> list[tuple[str, Command]]:
    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    return [
        (path, command)
        for path, command in commands(root, "pbx")
        if path.split()[1] not in LOCAL and path not in OWN | ON_THE_MACHINE
    ]


def words_for(path: str, command: Command) -> list[str]:
    words = [*path.split()[1:], *MORE.get(path, [])]
    for parameter in command.params:
        name = str(parameter.name)
        if isinstance(parameter, TyperArgument):
            words.append(_word(path, name))
        elif parameter.required or (name == "reason" and path != "pbx audit search"):
            words += [parameter.opts[0], "+1d" if name == "until" else "root"]
        elif name == "yes":
            words.append("--yes")
    return words


def _word(path: str, name: str) -> str:
    if path == "pbx exceptions grant" and name == "kind":
        return "longer-idle"
    if name in (
        "session",
        "grant",
        "proposal",
        "exception",
        "call",
        "mailbox",
        "message",
        "hold",
        "item",
    ):
        return UNKNOWN
    return WORDS.get(name, "root")


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_privileged_command_is_refused_to_who_may_not(
    clinic: Clinic, capsys: Any, monkeypatch: Any, tmp_path: Any
) -> None:
    await clinic.staffed()
    desk = await clinic.with_role("desk", Role.FRONT_DESK)
    found = leaves()
    assert len(found) > 30
    monkeypatch.setenv("PBX_SESSION", str(tmp_path / "token"))

    for path, command in found:
        await clinic.present(desk)
        (tmp_path / "token").write_text(desk.token)
        (tmp_path / "token").chmod(0o600)
        monkeypatch.setattr("sys.stdin", io.StringIO("000000000000\n" * 3))
        count = await clinic.row_count()
        words = [*words_for(path, command), "--data", str(clinic.layout.root)]

        code = await asyncio.to_thread(cli.run, words)

        error = capsys.readouterr().err
        assert code == Exit.REFUSED, (words, code, error)
        assert error.count("\n") == 1, (words, error)
        outcomes = {row.outcome for row in await clinic.rows(after=count)}
        assert outcomes == {"refused"}, (words, outcomes)
