"""`pbx init`, `pbx serve` and `pbx quickstart` as a newcomer meets them, at a terminal and without.

Under coverage only what the command itself runs is measured; the three processes that it starts
have tests of their own.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from certs.stock import Stock
from pbx.cli import main as cli
from pbx.cli import quickstart
from pbx.cli.output import Exit
from pbx.config import Config
from pbx.paths import Layout
from pbx.processes import accounts
from storage.identifiers import system_clock
from storage.sealed.primitives import hotp
from tests.support.pseudo_terminal import Terminal

PASSWORD = "correct horse battery staple"


def pbx(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "pbx", *words], capture_output=True, text=True, check=False
    )


def code_of(secret: str) -> str:
    import base64

    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return hotp(key, system_clock() // 1_000_000 // 30)


def test_the_first_people_are_asked_for_at_a_terminal(open_path: Path) -> None:
    root = open_path / "pbx"
    words = ("init", "--domain", "pbx.test", "--ip", "127.0.0.1", "--data", str(root))
    with Terminal(words) as terminal:
        terminal.until("New password (at least 12 characters): ")
        terminal.answer("short")
        terminal.until("A password has at least 12 characters.")
        terminal.until("New password (at least 12 characters): ")
        terminal.answer(PASSWORD)
        terminal.until("The same again: ")
        terminal.answer(PASSWORD + "?")
        terminal.until("The two differ.")
        terminal.until("New password (at least 12 characters): ")
        terminal.answer(PASSWORD)
        terminal.until("The same again: ")
        terminal.answer(PASSWORD)
        terminal.until("second approver?")
        terminal.answer("y")
        terminal.until("Log-in name of the practice manager")
        terminal.answer("mona")
        terminal.until("Name")
        terminal.answer("Mona Manager")
        terminal.until("or type in: ")
        secret = terminal.until("\r\n")
        terminal.until("Code of the app")
        terminal.answer("000000")
        terminal.until("That is not the code of this moment; try again.")
        terminal.until("Code of the app")
        terminal.answer(code_of(secret.strip()))
        assert terminal.ended() == Exit.DONE, terminal.seen
        assert "pbx enrol mona" in terminal.seen
        assert "one-time code (shown once): " in terminal.seen
        assert "Next: pbx serve" in terminal.seen
        assert PASSWORD not in terminal.seen
    assert Layout(root).is_initialised


def test_without_a_terminal_a_password_is_made_and_shown_once(open_path: Path) -> None:
    root, stick = open_path / "pbx", open_path / "root.key"
    words = ("--domain", "pbx.test", "--ip", "127.0.0.1", "--data", str(root))

    made = pbx("init", *words, "--move-root-key", str(stick))

    assert made.returncode == Exit.DONE, made.stderr
    assert "password (shown once): " in made.stdout
    assert f"The root CA's key is in {stick} alone" in made.stdout
    assert "PRIVATE KEY" in stick.read_text()
    assert not Stock(Layout(root).certificates).root_key.exists()
    assert "Until a second person can approve" in made.stdout
    again = pbx("init", *words)
    assert (again.returncode, again.stderr.count("\n")) == (Exit.USAGE, 1)

    with Layout(root).serve_lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for verb in ("serve", "quickstart"):
            second = pbx(verb, "--data", str(root))
            assert second.returncode == Exit.REFUSED, second.stderr
            assert second.stderr.splitlines()[-1] == f"pbx: {root} is being served already."


def test_quickstart_makes_sample_people_and_says_what_is_wrong(open_path: Path) -> None:
    root = open_path / "pbx"

    wrong = pbx("quickstart", "--ip", "nonsense", "--data", str(root))

    assert (wrong.returncode, wrong.stderr.count("\n")) == (Exit.USAGE, 1), wrong.stderr
    assert f"Making {root} ..." in wrong.stdout


def test_an_installation_that_cannot_be_served_says_why(
    installation: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    serve = ["serve", "--data", str(installation.root)]
    os.chown(installation.root, 12_345, -1)
    assert cli.run(serve) == Exit.REFUSED
    assert "serve it as uid 12345" in capsys.readouterr().err

    os.chown(installation.root, os.geteuid(), -1)
    with installation.config_file.open("a") as file:
        file.write("[nonsense]\n")
    assert cli.run(serve) == Exit.USAGE
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("named", [True, False])
def test_quickstart_says_where_everything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: bool
) -> None:
    layout, config = Layout(tmp_path), Config()

    quickstart._announce(layout, config, accounts.own(), {"phones": "127.0.0.1:5061"}, named=named)

    shown = capsys.readouterr().out
    for words in (str(tmp_path), "127.0.0.1:5061", "pbx login admin", "Ctrl-C stops it."):
        assert words in shown
    assert (f"pbx status --data {tmp_path}" in shown) is named
