import os
import subprocess
import sys

import pytest

from pbx.cli import main as cli
from pbx.cli.output import CommandError, Exit


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pbx", *arguments],
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
        env={**os.environ, "COLUMNS": "100"},
    )


def test_the_command_answers_with_its_version() -> None:
    result = run("--version")

    assert result.returncode == Exit.DONE
    assert result.stdout.startswith("pbx ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("config", "nonsense"),
        ("status", "--nonsense"),
        ("config", "check", "a", "b"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(capsys, arguments: tuple[str, ...]) -> None:
    assert cli.run([*arguments]) == Exit.USAGE

    error = capsys.readouterr().err
    assert error.startswith("pbx: ")
    assert error.count("\n") == 1


def test_a_command_without_an_installation_says_how_to_make_one(capsys, tmp_path) -> None:
    assert cli.run(["status", "--data", str(tmp_path)]) == Exit.USAGE

    assert f"make one with: pbx init --data {tmp_path}" in capsys.readouterr().err


def test_no_arguments_at_all_print_the_help(capsys) -> None:
    assert cli.run([]) == Exit.USAGE

    assert "status" in capsys.readouterr().out


def fails_with(monkeypatch, error: BaseException) -> None:
    def broken(**_: object) -> None:
        raise error

    app = cli.typer.Typer()
    app.command("one")(lambda: broken())
    app.command("two")(lambda: None)
    monkeypatch.setattr(cli, "app", app)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CommandError("No.", Exit.REFUSED), 3, "pbx: No."),
        (KeyboardInterrupt(), 130, "pbx: Stopped."),
        (OSError(28, "No space left on device", "/x"), 4, "pbx: /x: No space left on device."),
        (OSError(), 4, "pbx: The system: an error without a name."),
        (UnicodeEncodeError("utf-8", "canary", 0, 1, "x"), 2, "is not text in UTF-8"),
        (cli.typer.BadParameter("It is odd."), 2, "It is odd. See: pbx one --help"),
        (cli.typer.Abort(), 130, "pbx: Stopped."),
        (ValueError("canary-7d1f"), 4, "by a fault of ours"),
    ],
)
def test_every_failure_is_a_sentence_and_a_code(capsys, monkeypatch, error, code, words) -> None:
    fails_with(monkeypatch, error)

    assert cli.run(["one"]) == code

    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
    assert "canary" not in shown


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    script = "exec 3>&1; { .venv-python -m pbx --help; echo $? >&3; } | head -c 1 >/dev/null"

    result = subprocess.run(
        ["bash", "-c", script.replace(".venv-python", sys.executable)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_fault_of_ours(closed: str) -> None:
    """Scripts of cron and init systems start commands so."""
    script = f"exec 3>&1 4>&2; {sys.executable} -m pbx role matrix extra {closed}; echo $? >&3"

    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)

    assert result.stdout.split()[-1] == str(int(Exit.USAGE))
    assert "fault" not in result.stderr


def test_what_the_terminal_s_alphabet_has_not_is_a_question_mark() -> None:
    script = "from pbx.cli import main, output; main._streams(); output.say('caf\u00e9 \u2588')"

    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )

    assert result.stdout == b"caf\xe9 ?\n"


@pytest.mark.parametrize("server", ["https://[::1", "https://host:99999", "http://host"])
def test_an_address_that_is_none_is_wrong_usage(capsys, server: str) -> None:
    assert cli.run(["--server", server, "status"]) == Exit.USAGE

    assert capsys.readouterr().err == "pbx: --server: is https://HOST:PORT.\n"


def test_completion_for_bash_knows_the_commands() -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from pbx.cli.main import main; main()"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "_PBX_COMPLETE": "complete_bash",
            "COMP_WORDS": "pbx st",
            "COMP_CWORD": "1",
        },
    )

    assert "status" in result.stdout.split()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("exceptions", "grant"), "Missing argument 'kind'. Choose from: md5-device, longer-idle."),
        (
            ("sessions", "end", "x"),
            "Invalid value for 'session': it is an identifier, as lists show it.",
        ),
        (("call", "test", "--odd"), "No such option: --odd."),
        (("person", "add", "--kind", "x", "a", "b"), "'x' is not one of 'staff', 'contractor',"),
    ],
)
def test_wrong_arguments_are_told_in_words_of_ours(
    capsys, words: tuple[str, ...], sentence: str
) -> None:
    assert cli.run([*words]) == Exit.USAGE

    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert "Value error" not in error
