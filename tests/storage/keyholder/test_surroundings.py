"""storage/keyholder/surroundings.py"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from storage.keyholder.surroundings import Surroundings, capabilities, memory_in_words

SHARED = Path("/dev/shm")  # noqa: S108 - another device than the disk
TRY = """
import ctypes, resource, sys
from storage.keyholder import surroundings
{before}
locked = surroundings.close_memory()
print(locked, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
"""


def test_what_a_thief_would_have_is_said_plainly(tmp_path: Path) -> None:
    root = tmp_path / "root.key"
    root.touch()

    together = Surroundings.of(tmp_path, tmp_path, root)
    apart = Surroundings.of(tmp_path, SHARED, tmp_path / "missing")
    hardware = Surroundings.of(tmp_path, SHARED, None)

    assert len(together.sentences()) == 3
    assert (apart.same_device, apart.root_beside) == (False, False)
    assert Surroundings(False, False, False).sentences() == []
    assert not hardware.root_beside


def tried(before: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", TRY.format(before=before)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_memory_is_closed_to_dumps_and_debuggers() -> None:
    assert tried().endswith("0 (0, 0)")


def test_without_the_right_to_lock_memory_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.keyholder import surroundings

    calls = []

    def refuse(which: int, limits: object) -> None:
        calls.append(which)
        if which == resource.RLIMIT_MEMLOCK:
            raise ValueError("not allowed")

    class Quiet:
        def prctl(self, *_: int) -> int:
            return 0

        def mlockall(self, _: int) -> int:
            return 0

    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: Quiet())
    monkeypatch.setattr(surroundings, "capabilities", lambda: 0)
    assert surroundings.close_memory() is False
    monkeypatch.setattr(surroundings, "capabilities", lambda: 1 << 14)
    assert surroundings.close_memory() is True, "whoever may lock needs no limit"
    monkeypatch.setattr(surroundings, "capabilities", lambda: 0)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert surroundings.close_memory() is True


def test_capabilities_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    status = tmp_path / "status"
    assert capabilities(status) == 0
    status.write_text("Name:\tx\n")
    assert capabilities(status) == 0
    status.write_text("Name:\tx\nCapEff:\t0000000000004000\n")
    assert capabilities(status) == 1 << 14
    assert capabilities() >= 0


def test_memory_is_spoken_of_plainly(tmp_path: Path) -> None:
    swaps = tmp_path / "swaps"
    assert memory_in_words(locked=True, swaps=swaps) == "locked"
    assert memory_in_words(locked=False, swaps=swaps).startswith("NOT LOCKED")
    swaps.write_text("Filename Type Size\n")
    assert memory_in_words(locked=False, swaps=swaps) == "not locked, and no swap"
    swaps.write_text("Filename Type Size\n/dev/sda2 partition 1\n")
    assert memory_in_words(locked=False, swaps=swaps).startswith("NOT LOCKED")


def test_a_process_that_cannot_be_closed_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:

    from storage.keyholder import surroundings

    class Broken:
        def prctl(self, *_: int) -> int:
            return -1

    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: Broken())
    with pytest.raises(OSError, match="prctl"):
        surroundings.close_memory()
