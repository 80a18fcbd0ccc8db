"""The manual page is made from the commands and is sound for man(1)."""

import pytest

from pbx.cli import main as cli
from pbx.cli.output import Exit


def test_every_noun_is_in_the_manual(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["manual"]) == Exit.DONE

    page = capsys.readouterr().out
    assert page.startswith(".TH PBX 1")
    for words in ("pbx person leave", "pbx login", "pbx audit verify", "pbx extension assign"):
        assert words in page
    for line in page.splitlines():
        assert not line.startswith(("'", "..")), line
        assert line.isascii(), line
