import json

from pbx.cli import main as cli
from pbx.cli.output import Exit


def test_check_says_that_nothing_is_wrong(capsys, tmp_path) -> None:
    path = tmp_path / "pbx.toml"
    path.touch()

    assert cli.run(["config", "check", str(path)]) == Exit.DONE
    assert capsys.readouterr().out == f"{path}: nothing wrong.\n"


def test_check_names_line_key_and_rule_with_exit_2(capsys, tmp_path) -> None:
    path = tmp_path / "pbx.toml"
    path.write_text("[metrics]\nport = 'x'\n")

    assert cli.run(["config", "check", str(path)]) == Exit.USAGE
    assert capsys.readouterr().err == (
        f"pbx: {path}, line 2: metrics.port: expected int, got str.\n"
    )


def test_check_speaks_json_to_programs(capsys, tmp_path) -> None:
    path = tmp_path / "pbx.toml"
    for text, code in (("", Exit.DONE), ("[metrics]\nport = 'x'\n", Exit.USAGE)):
        path.write_text(text)
        assert cli.run(["config", "check", str(path), "--json"]) == code
        assert len(json.loads(capsys.readouterr().out)["wrong"]) == (code == Exit.USAGE)


def test_show_includes_the_defaults(capsys, tmp_path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "pbx.toml").write_text("[metrics]\nport = 0\n")

    assert cli.run(["config", "show", "--data", str(tmp_path)]) == Exit.DONE

    shown = capsys.readouterr().out
    assert "[metrics]\nport = 0" in shown
    assert "drain_seconds = 300" in shown


def test_show_speaks_json_to_programs(capsys, tmp_path) -> None:
    path = tmp_path / "pbx.toml"
    path.touch()

    assert cli.run(["config", "show", str(path), "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["metrics"]["port"] == 9464
