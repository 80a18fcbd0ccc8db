"""Prompts are spoken once for an installation, and copied from there."""

from pathlib import Path

import pytest

from media import prompts
from media.worker.sounds import CODECS


@pytest.mark.timeout(300)
def test_what_was_spoken_at_installation_needs_nobody_to_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed"
    assert prompts.install(installed) == []
    (made,) = installed.iterdir()
    when = made.stat().st_mtime_ns
    monkeypatch.setenv("PATH", "")

    alone = prompts.prepare(tmp_path / "alone", installed=tmp_path / "nothing")
    copied = prompts.prepare(tmp_path / "copied", installed=installed)
    again = prompts.install(installed)

    assert alone == ["espeak-ng is not installed: prompts are tones until it is"]
    assert (copied, again, made.stat().st_mtime_ns) == ([], [], when)
    for name in prompts.TEXTS:
        for codec in CODECS:
            taken = (tmp_path / "copied" / f"{name}.{codec}").read_bytes()
            assert taken == (made / f"{name}.{codec}").read_bytes()
            assert taken


def test_an_installation_that_cannot_speak_keeps_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    (warning,) = prompts.install(tmp_path / "installed")

    assert warning.startswith("espeak-ng is not installed")
    assert list((tmp_path / "installed").iterdir()) == []
