"""kill -9 of whoever writes recordings: at each fsync, cut and removal, and at random moments.

RECORDING_KILLS=200 makes it the long run; the seed is printed.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from media.worker.message_files import MessageFiles
from storage.keyholder.records import KeyRow
from storage.keyholder.slots import open_deposit_slot
from storage.sealed.file import Interrupted, SealedFile, Whole, inspect
from tests.support.disk_shim import environment
from tests.support.mailroom import Mailroom, mailroom
from tests.support.media_worker import vault_in

KILLS = int(os.environ.get("RECORDING_KILLS", "8"))
SEED = int(os.environ.get("PBX_SEED", random.randrange(2**32)))
POINTS = 60
"""More calls than one short run of three recordings makes."""


@pytest.fixture
async def room(open_path: Path):  # type: ignore[no-untyped-def]
    async with mailroom(open_path) as made:
        made.messages.mkdir(exist_ok=True)
        key = msgspec.msgpack.encode(made.signed)
        written = msgspec.msgpack.encode((str(made.mailbox), key))
        (open_path / "deposit").write_bytes(written)
        yield made


def tortured(
    room: Mailroom, seed: int, rounds: int, settings: dict[str, int], after: float | None = None
) -> list[list[str]]:
    """What was promised before the end."""
    command = [sys.executable, "-m", "tests.support.recording_torture", str(room.directory)]
    command += [str(seed), str(rounds)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(**settings)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if after is not None:
        threading.Timer(after, process.kill).start()
    said = [line.split() for line in process.stdout]
    assert process.wait() in (-signal.SIGKILL, 0)
    process.stdout.close()
    return said


def check(room: Mailroom, said: list[list[str]]) -> None:
    """Recovers as a worker does, and compares what is there with what was promised."""
    row = room.house.core.store.get(KeyRow, room.signed.id)
    assert row is not None
    files = MessageFiles(room.messages, 2, 1)
    left = {each.content.hex(): each for each in files.left_behind(vault_in(room.directory))}
    told = {words[1]: words for words in said if words[0] in ("stored", "recorded")}
    slots = {words[1]: bytes.fromhex(words[2]) for words in said if words[0] == "started"}
    settled = {words[1] for words in said if words[0] == "settled"}
    touched = {words[1] for words in said if words[0] in ("settling", "removing")}
    removed = {words[1] for words in said if words[0] == "removed"}
    removing = {words[1] for words in said if words[0] == "removing"}
    there = {path.stem for path in room.messages.glob("*.sealed")}

    assert not removed & there, "removed, and there again"
    assert set(told) - removing <= there, "a promised recording is lost"
    for name in there:
        assert name in left or name in settled or name in touched, "a file nobody accounts for"
        data = (room.messages / f"{name}.sealed").read_bytes()
        facts = inspect(data)
        assert facts.size == len(data) or name in touched
        if name in told:
            segments, digest = int(told[name][2]), bytes.fromhex(told[name][3])
            assert facts.segments >= segments, "durable seconds are gone"
            assert facts.digest == digest or facts.segments > segments
        slot = left[name].slot if name in left else slots[name]
        key = open_deposit_slot(row.signed, row.private, bytes.fromhex(name), slot)
        expect = (
            Whole(facts.digest) if facts.is_complete else Interrupted(facts.segments, facts.digest)
        )
        SealedFile(data[: facts.size], key, bytes.fromhex(name), expect)
    for path in room.messages.iterdir():
        path.unlink()


@pytest.mark.timeout(600)
async def test_every_point_that_makes_something_durable_or_takes_it_away(room: Mailroom) -> None:
    """Seeded, so that the nth call is the same call each time."""
    step = 1 if KILLS >= POINTS else 7
    for point in range(1, POINTS, step):
        for after in (0, 1):
            said = tortured(room, 11, 3, {"kill_at": point, "kill_after": after})
            finished = said[-1:] == [["finished"]]
            check(room, said)
        if finished:
            break
    else:
        assert step > 1, "the run has more points than are tried"


@pytest.mark.timeout(900)
async def test_random_moments(room: Mailroom) -> None:
    dice = random.Random(SEED)
    print(f"seed {SEED}, {KILLS} kills")
    for _ in range(KILLS):
        seed, after = dice.randrange(2**32), dice.uniform(0.0, 0.4)
        said = tortured(room, seed, 1 << 30, {}, after)
        check(room, said)


async def test_a_disk_that_fills_up_leaves_what_was_durable(room: Mailroom) -> None:
    for at in (1, 3, 4, 6):
        said = tortured(room, 11, 1, {"full_at": at})
        ended = [words for words in said if words[0] == "recorded"]
        assert all(words[4] in ("-", "disk-full") for words in ended)
        check(room, said)
