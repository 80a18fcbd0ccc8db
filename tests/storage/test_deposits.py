"""The log of deposits: durable when it says so, whole after a crash, small when all is done."""

import asyncio
import errno
import os
from pathlib import Path
from uuid import UUID

import pytest

from storage.deposits import Begun, Closed, DepositLog, Finished, HourKey, Noted, Unwanted, read
from storage.messages import NewMessage

CONTENT, OTHER = b"c" * 16, b"o" * 16


def begun(content: bytes = CONTENT) -> Begun:
    hour = HourKey(UUID(int=4), 1, b"sealed", UUID(int=5))
    return Begun(
        message=UUID(int=1), mailbox=UUID(int=2), content=content, received_at=3, hour=hour,
        caller_sealed=b"sealed caller",
    )  # fmt: skip


def finished(content: bytes = CONTENT) -> NewMessage:
    return NewMessage(
        id=UUID(int=1), mailbox=UUID(int=2), content=content, deposit_key=UUID(int=6), slot=b"s",
        codec="pcmu", milliseconds=1, octets=2, segments=3, digest=b"d", received_at=3,
    )  # fmt: skip


async def test_what_was_begun_is_known_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "deposits.log"
    first = DepositLog.open(path)
    await first.append(begun())
    await first.append(begun(OTHER))
    first.progressed(CONTENT, 2, b"two")
    await first.append(Finished(finished(OTHER)), Noted(OTHER))

    again = DepositLog.open(path)  # the first was never closed
    held, other = again.open_[CONTENT], again.open_[OTHER]

    assert (held.begun, held.segments, held.digest) == (begun(), 2, b"two")
    assert (held.finished, held.has_row) == (None, False)
    assert (other.finished, other.has_row) == (finished(OTHER), True)
    await first.close()
    await again.close()


async def test_what_nobody_wants_stays_so_until_its_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "deposits.log"
    first = DepositLog.open(path)
    await first.append(begun())
    await first.append(Unwanted(CONTENT), Unwanted(OTHER))

    again = DepositLog.open(path)
    third = DepositLog.open(path)  # written anew by the second

    assert [held.is_unwanted for held in third.open_.values()] == [True]
    for log in (first, again, third):
        await log.close()


async def test_what_was_closed_is_gone_and_the_file_is_small_again(tmp_path: Path) -> None:
    path = tmp_path / "deposits.log"
    log = DepositLog.open(path)
    await log.append(begun())
    await log.append(Closed(CONTENT))
    log.progressed(CONTENT, 3, b"late")
    await log.append(Finished(finished()), Noted(CONTENT))
    await log.close()

    again = DepositLog.open(path)

    assert again.open_ == {}
    assert path.stat().st_size == 0
    await again.close()
    await again.close()


async def test_a_torn_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "deposits.log"
    log = DepositLog.open(path)
    await log.append(begun())
    await log.append(begun(OTHER))
    await log.close()
    whole = path.read_bytes()

    for cut in (1, 9, 30):
        path.write_bytes(whole[:-cut])
        assert [type(one).__name__ for one in read(path)] == ["Begun"]
    path.write_bytes(whole[:-1] + b"!")

    assert len(read(path)) == 1
    assert read(tmp_path / "none") == []


async def test_many_appends_share_their_sync(tmp_path: Path) -> None:
    log = DepositLog.open(tmp_path / "deposits.log")

    await asyncio.gather(*(log.append(begun(bytes([n]) * 16)) for n in range(50)))

    assert len(DepositLog.open(log.path).open_) == 50
    await log.close()


async def test_a_disk_that_does_not_take_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deposits.log"
    log = DepositLog.open(path)
    await log.append(begun())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(OSError, match="full"):
        await log.append(begun(OTHER))
    monkeypatch.undo()
    await log.append(Closed(CONTENT))
    await log.close()

    assert [type(one).__name__ for one in read(path)] == ["Begun", "Closed"]
