"""Files of messages that are being made while somebody looks for what a crash left behind."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.client import Greeting, MessageRefused
from media.worker.message_files import Beside, MessageFiles, append
from media.worker.writer import Durable, Hears, Writer
from pbx.worker_vault import WorkerVault
from tests.support.full_disk import SmallDisk, disk
from tests.support.media_worker import vault_in

MADE = 60


@pytest.fixture
def files(tmp_path: Path) -> MessageFiles:
    return MessageFiles(tmp_path, 0, 0)


@pytest.fixture
def vault(tmp_path: Path) -> WorkerVault:
    """Greetings are sealed under a key that comes with them."""
    return vault_in(tmp_path)


def greeting() -> Greeting:
    return Greeting(os.urandom(16), os.urandom(32))


def test_a_file_that_is_being_made_is_not_taken_for_one_left_behind(
    files: MessageFiles, vault: WorkerVault, tmp_path: Path
) -> None:
    """Many, while another thread looks all the time: descriptors and locks of its own, like
    another worker's."""
    is_over, seen = threading.Event(), list[bytes]()

    def look() -> None:
        while not is_over.is_set():
            seen.extend(one.content for one in files.left_behind(vault))

    looking = threading.Thread(target=look)
    looking.start()
    made = []
    try:
        for _ in range(MADE):
            to = greeting()
            sealed = vault.seal(to, "pcmu", 1)
            descriptor = files.create(to.content, Beside.of(to, sealed.slot), sealed.head)
            made.append((to.content, descriptor))
            slot = tmp_path / f"{to.content.hex()}.slot"
            assert slot.exists()
            assert slot.with_suffix(".sealed").exists()
    finally:
        is_over.set()
        looking.join()
        for _, descriptor in made:
            os.close(descriptor)
    assert seen == [], "all of them were being recorded"
    assert {one.content for one in files.left_behind(vault)} == {content for content, _ in made}


def test_a_slot_without_its_file_is_cleared_away(
    files: MessageFiles, vault: WorkerVault, tmp_path: Path
) -> None:
    """A crash between the two."""
    to = greeting()
    sealed = vault.seal(to, "pcmu", 1)
    os.close(files.create(to.content, Beside.of(to, sealed.slot), sealed.head))
    [left] = files.left_behind(vault)
    assert (left.content, left.kind, left.segments) == (to.content, "greeting", 0)

    [file] = tmp_path.glob("*.sealed")
    file.unlink()

    assert files.left_behind(vault) == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".slot", ".sealed"])
def test_a_flipped_bit_deletes_no_recording(
    files: MessageFiles, vault: WorkerVault, tmp_path: Path, suffix: str
) -> None:
    """The database may have its slot already, and then all of it opens."""
    kept, spoilt = greeting(), greeting()
    for to in (kept, spoilt):
        sealed = vault.seal(to, "pcmu", 1)
        descriptor = files.create(to.content, Beside.of(to, sealed.slot), sealed.head)
        append(descriptor, sealed.segment(bytearray(4000), 500, last=True))
        os.close(descriptor)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    path = tmp_path / f"{spoilt.content.hex()}{suffix}"
    before[path] = bytes((before[path][0] ^ 0x40,)) + before[path][1:]
    path.write_bytes(before[path])

    assert [one.content for one in files.left_behind(vault)] == [kept.content]
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("octets", [0, 20])
def test_a_header_that_was_torn_is_cleared_away(
    files: MessageFiles, vault: WorkerVault, tmp_path: Path, octets: int
) -> None:
    to = greeting()
    sealed = vault.seal(to, "pcmu", 1)
    os.close(files.create(to.content, Beside.of(to, sealed.slot), sealed.head[:octets]))

    assert files.left_behind(vault) == ()
    assert list(tmp_path.iterdir()) == []


def test_whoever_asks_to_record_without_the_disk_is_answered(
    vault: WorkerVault, tmp_path: Path
) -> None:
    """It is not mounted, say; or what is given is no key."""
    heard, answered = list[str](), threading.Semaphore(0)

    def refused(fault: str) -> None:
        heard.append(fault)
        answered.release()

    hears = Hears(
        started=lambda sealed: None, stored=lambda *what: None, ended=lambda *what: None,
        refused=refused,
    )  # fmt: skip
    gone = MessageFiles(tmp_path / "gone", 0, 0)
    for to in (greeting(), Greeting(b"too short", b"")):
        Writer(gone, vault, to, "pcmu", 1, hears).wait(30)
        assert answered.acquire(timeout=30)
    assert heard == ["disk-error", "key"]


def test_a_content_has_one_file(files: MessageFiles, vault: WorkerVault) -> None:
    to = greeting()
    sealed = vault.seal(to, "pcmu", 1)
    os.close(files.create(to.content, Beside.of(to, sealed.slot), sealed.head))

    with pytest.raises(MessageRefused):
        files.create(to.content, Beside.of(to, sealed.slot), sealed.head)

    assert files.read(to.content) == sealed.head, "the first one is as it was"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    path = tmp_path / "small"
    path.mkdir()
    with disk(path, megabytes=1) as made:
        assert isinstance(made, SmallDisk)
        yield made


def test_what_a_full_disk_did_not_take_is_overwritten_and_the_end_is_told(
    small: SmallDisk, vault: WorkerVault
) -> None:
    ended, started = list[tuple[Durable, str]](), threading.Event()
    over = threading.Event()

    def end(durable: Durable, fault: str) -> None:
        ended.append((durable, fault))
        over.set()

    hears = Hears(
        started=lambda sealed: started.set(),
        stored=lambda *what: None,
        ended=end,
        refused=lambda fault: over.set(),
    )
    writer = Writer(MessageFiles(small.path, 0, 0), vault, greeting(), "pcmu", 1, hears)
    assert started.wait(60)
    small.fill()
    pieces = [bytearray(os.urandom(4000)) for _ in range(6)]
    for piece in pieces[:4]:
        assert writer.put(piece, 500)
    assert over.wait(60)
    assert writer.put(pieces[4], 500), "nobody is told twice"
    writer.finish(pieces[5], 500)
    writer.wait(60)

    [(durable, fault)] = ended
    assert (durable.segments, fault) == (0, "disk-full")
    assert [bytes(piece) for piece in pieces] == [bytes(4000)] * 6
    [file] = small.path.glob("*.sealed")
    assert file.stat().st_size == durable.octets


def test_whatever_a_recording_breaks_off_at_its_end_is_told_and_nothing_stays_in_clear(
    files: MessageFiles, vault: WorkerVault, tmp_path: Path
) -> None:
    """A piece that is no segment: more octets than one may have."""
    ended, over = list[tuple[int, str]](), threading.Event()

    def end(durable: Durable, fault: str) -> None:
        ended.append((durable.segments, fault))
        over.set()

    hears = Hears(
        started=lambda sealed: None, stored=lambda *what: None, ended=end, refused=lambda _: None
    )
    writer = Writer(files, vault, greeting(), "pcmu", 1, hears)
    pieces = [bytearray(b"\x31" * size) for size in (1 << 17, 4000, 4000)]
    assert writer.put(pieces[0], 500)
    assert over.wait(60)
    assert writer.put(pieces[1], 500)
    writer.finish(pieces[2], 500)
    writer.wait(60)

    assert ended == [(0, "disk-error")]
    assert not any(any(piece) for piece in pieces)
