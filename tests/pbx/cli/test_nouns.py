"""Commands are imported when they are called, and `pbx --help` says what they say themselves."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from pbx.cli import main as cli
from pbx.cli.manual import commands
from pbx.cli.nouns import LINES, Command, Deferred, laid_out

HEAVY = {
    "alembic", "argon2", "av", "cryptography", "litestar", "media", "psycopg", "pylibsrtp",
    "sqlalchemy", "storage", "uvicorn",
}  # fmt: skip

LIST = "import sys; from pbx.cli import main; code = main.run(sys.argv[1:]); "
LIST += "sys.stdout.write('\\n\\0' + ' '.join(sys.modules)); sys.exit(code)"


def imported(*arguments: str) -> set[str]:
    found = subprocess.run(
        [sys.executable, "-c", LIST, *arguments], capture_output=True, text=True, check=False
    )
    return {name.split(".")[0] for name in found.stdout.split("\0")[1].split()}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("status", "--help"), ()])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not imported(*arguments) & HEAVY


def test_status_imports_nothing_heavy(open_path: Path) -> None:
    (open_path / "config").mkdir()
    (open_path / "config" / "pbx.toml").touch()

    assert not imported("status", "--data", str(open_path)) & HEAVY


@pytest.mark.parametrize("name", LINES)
def test_the_line_of_a_command_is_its_own_first_sentence(name: str) -> None:
    own = (Deferred(name).whole().help or "").split("\n\n")[0].replace("\n", " ")

    assert own.startswith(LINES[name].rstrip("."))


def test_completion_reaches_the_words_below_a_noun() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pbx"],
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": "/usr/bin:/bin",
            "_PBX_COMPLETE": "complete_bash",
            "COMP_WORDS": "pbx cert re",
            "COMP_CWORD": "2",
        },
    )

    assert {"renew", "revoke"} <= set(result.stdout.split())


SHELLS = {
    "bash": {"_PBX_COMPLETE": "complete_bash", "COMP_WORDS": "pbx device rot", "COMP_CWORD": "2"},
    "zsh": {"_PBX_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "pbx device rot"},
    "fish": {
        "_PBX_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": "pbx device rot",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    },
}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_completes_below_a_noun_that_was_not_imported(shell: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "pbx"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **SHELLS[shell]},
    )

    assert "rotate-secret" in result.stdout
    assert result.stderr == ""


def leaves() -> list[tuple[str, Command]]:
    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    return list(commands(root, "pbx"))


@pytest.mark.parametrize("path", [path for path, _ in leaves()])
def test_the_help_of_every_command_fits_a_terminal_of_80_columns(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    assert cli.run([*path.split()[1:], "--help"]) == 0

    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "\x1b" not in shown


def test_every_verb_is_listed_by_its_whole_first_sentence_and_examples_are_not_broken() -> None:
    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    for path, command in commands(root, "pbx"):
        assert command.help
        with typer.Context(command, info_name=path, terminal_width=80) as context:
            listed, shown = command.get_short_help_str(10), command.get_help(context)
        first = " ".join(command.help.split("\n\n")[0].split())
        assert first.startswith(listed), path
        assert listed[-1] in ".!?", path
        examples = [line for line in command.help.splitlines() if line.startswith("Example: ")]
        assert [line[2:] for line in shown.splitlines() if "Example: " in line] == examples, path


def test_an_example_that_is_too_long_goes_on_as_a_shell_takes_it() -> None:
    shell = typer.Typer(rich_markup_mode=None)
    long = 'pbx role grant anna front-desk --reason "covers reception today" --until +90d --json'

    @shell.command("grant", help=f"Grant a role. It waits.\n\nExample: {long}")
    def grant() -> None: ...

    @shell.command("other", help="Without a sentence")
    def other() -> None: ...

    laid = laid_out(typer.main.get_group(shell))

    assert isinstance(laid, TyperGroup)
    assert laid.commands["grant"].short_help == "Grant a role."
    assert laid.commands["other"].short_help is None
    told = laid.commands["grant"].help
    assert told is not None
    example = told.split("\b\nExample: ")[1]
    assert all(len(line) <= 78 for line in told.splitlines())
    assert example.replace("\\\n    ", "") == long
