"""kill -9 of the key holder at named points and at random moments of change, rotation, backup.

PBX_KILLS=200 makes it the long run.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.keyholder import backup, recovery, segments
from storage.keyholder.records import HeadRow, MessageSecret, Tombstone
from storage.ledger.journalled import Journalled, read_file
from tests.support.keyholder import FakeTime, House, text
from tests.support.keyholder_torture import WRITER

KILLS = int(os.environ.get("PBX_KILLS", "12"))
SEED = int(os.environ.get("PBX_SEED", random.randrange(2**32)))


def killed(directory: Path, seed: int, points: int | None, after: float) -> list[list[str]]:
    """What was acknowledged before the end."""
    command = [sys.executable, "-m", "tests.support.keyholder_torture", str(directory), str(seed)]
    command += [str(points)] if points is not None else []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if points is None:
        threading.Timer(after, process.kill).start()
    said = [line.split() for line in process.stdout]
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    return said


def check(directory: Path, said: list[list[str]]) -> None:
    house = House(directory, time=FakeTime(wall=FakeTime().wall + 10**12))
    parts = list(segments.walk(directory / "journal", house.pin.signing_key if house.pin else None))
    assert parts[-1].position == house.core.books.journal.position
    store = house.core.store
    kept = {str(row.id) for row in store.all(MessageSecret)}
    dead = {str(row.id) for row in store.all(Tombstone)}
    adopted = {words[1] for words in said if words[0] == "adopted"}
    destroying = {words[1] for words in said if words[0] == "destroying"}
    destroyed = {words[1] for words in said if words[0] == "destroyed"}
    assert adopted - destroying <= kept, "an acknowledged message is lost"
    assert destroyed <= dead
    journal = Journalled()
    read_file(directory / "journal", journal)
    journalled = {str(opening.operation) for opening in journal.openings}
    assert {words[1] for words in said if words[0] == "opened"} <= journalled
    assert not kept & dead
    signed = [int(words[1]) for words in said if words[0] == "signed"]
    head = store.get(HeadRow, WRITER)
    assert not signed or (head is not None and signed[-1] <= head.sequence <= signed[-1] + 1)
    held = house.core.settings().recovery
    assert held is not None
    pair = recovery.pair_from_passphrases(held, [text("first long passphrase")])
    for path in (directory.parent / "usb").glob("*.backup"):
        backup.open_rows(path, pair)
    house.close()


@pytest.mark.parametrize("number", range(KILLS))
def test_store_and_journal_are_whole_whenever_it_is_killed(tmp_path: Path, number: int) -> None:
    dice = random.Random(SEED + number)
    (tmp_path / "usb").mkdir()
    points = dice.randrange(1, 60) if number % 2 else None
    print(f"seed {SEED}, number {number}, points {points}")

    said = killed(tmp_path / "keys", dice.randrange(2**32), points, dice.uniform(0.0, 0.6))

    check(tmp_path / "keys", said)
