"""Measuring coverage does not stop what is measured."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.measuring import unmeasured

ROOT = Path(__file__).parent.parent

# Eight threads that end together while the main one runs traced code, again and again. Without the
# plugin it spun in the first hundred rounds each time that it was tried.
PROGRAM = """
import threading

def busy(rounds):
    return sum(one(number) for number in range(rounds))

def one(number):
    return number

for _ in range(300):
    together = threading.Barrier(9)
    threads = [threading.Thread(target=together.wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    together.wait()
    while any(thread.is_alive() for thread in threads):
        busy(20)
    busy(200)
print("ended")
"""


def test_threads_may_end_together_while_coverage_is_taken(tmp_path: Path) -> None:
    program = tmp_path / "threads.py"
    program.write_text(PROGRAM)
    measured = [
        "-m",
        "coverage",
        "run",
        f"--rcfile={ROOT / 'pyproject.toml'}",
        "--source",
        tmp_path,
    ]
    ended = subprocess.run(
        [sys.executable, *measured, program],
        env=unmeasured(os.environ) | {"COVERAGE_FILE": str(tmp_path / "coverage")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.stdout == "ended\n", ended.stderr
