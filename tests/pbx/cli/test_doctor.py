"""`pbx doctor` on an installation: lines, JSON, and exit codes."""

import json
from pathlib import Path

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit
from pbx.paths import Layout


def run(layout: Layout, *arguments: str) -> int:
    return cli.run(["doctor", *arguments, "--data", str(layout.root)])


def test_what_does_not_hold_is_exit_1_and_a_line(
    installation: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.keys.chmod(0o755)

    assert run(installation) == Exit.FOUND

    said = capsys.readouterr()
    assert f"does not     only its account reads the keys: {installation.keys}" in said.out
    assert "not hold." in said.err


def test_json_has_the_same_findings(
    installation: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    run(installation, "--json", "--host", "127.0.0.1")

    found = json.loads(capsys.readouterr().out)

    assert {"promise", "verdict", "evidence"} == set(found[0])
    assert {one["verdict"] for one in found} == {"holds", "does not", "cannot tell"}


def test_a_phone_needs_its_secret(
    installation: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(installation, "--device", "alice") == Exit.USAGE
    assert "belong together" in capsys.readouterr().err

    assert run(installation, "--device", "alice", "--secret-file", str(tmp_path / "none")) == (
        Exit.UNAVAILABLE
    )
