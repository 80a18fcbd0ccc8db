"""Deposit keys of a running key holder, and a copy of them that somebody has edited."""

from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from pbx.voicemail.deposit_keys import DAY, DepositKeys
from storage.keyholder.signing import SignedKey
from storage.sealed import primitives
from tests.support import privileges
from tests.support.clinic import Clinic


@pytest.fixture
async def mailbox(clinic: Clinic) -> UUID:
    await clinic.staffed()
    number = await privileges.extension(clinic)
    root = await clinic.present(clinic.members["root"])
    [found] = await privileges.held(clinic, root, number)
    return found


def kept(clinic: Clinic, path: Path, mailbox: UUID) -> DepositKeys:
    """As after a start: what the copy on disk says."""
    plane = clinic.plane
    return DepositKeys(plane.keyholder, path, lambda: plane.pinned, lambda: [mailbox], plane.clock)


def edited(path: Path, **changes: object) -> None:
    rows = msgspec.msgpack.decode(path.read_bytes(), type=dict[UUID, tuple[SignedKey, ...]])
    swapped = {
        mailbox: tuple(msgspec.structs.replace(key, **changes) for key in keys)
        for mailbox, keys in rows.items()
    }
    path.write_bytes(msgspec.msgpack.encode(swapped))


async def test_a_swapped_key_takes_no_message_is_missed_and_asked_for_anew(
    clinic: Clinic, mailbox: UUID, tmp_path: Path
) -> None:
    path = tmp_path / "deposit.public"
    assert await kept(clinic, path, mailbox).refresh()
    genuine = kept(clinic, path, mailbox)
    assert genuine.current(mailbox) is not None
    assert genuine.missing() == 0
    mine = primitives.generate_pair(primitives.Suite.P384)
    edits: list[dict[str, object]] = [
        {"public": bytes(mine.public)}, {"until": clinic.now + 99 * DAY}, {"mailbox": clinic.id()},
    ]  # fmt: skip
    for edit in edits:
        edited(path, **edit)
        swapped = kept(clinic, path, mailbox)

        assert swapped.current(mailbox) is None, edit
        assert swapped.missing() == 1, edit

        assert await swapped.refresh()
        assert swapped.current(mailbox) == genuine.current(mailbox)


async def test_a_copy_that_cannot_be_read_is_none(
    clinic: Clinic, mailbox: UUID, tmp_path: Path
) -> None:
    path = tmp_path / "deposit.public"
    path.write_bytes(b"torn")

    assert kept(clinic, path, mailbox).missing() == 1
