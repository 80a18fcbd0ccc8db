"""`pbx voicemail`: one's own messages, and what others answer for without hearing any."""

import asyncio
import contextlib
import json
import os
import pty
import sys
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from pbx.access.roles import Role
from pbx.cli.opened_message import play, player, private_file, sink_for_listening
from pbx.cli.output import CommandError, Exit
from pbx.cli.voicemail import AT_A_TIME
from storage import messages
from storage.deeds import Deed
from storage.keyholder.signing import SignedStatement
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.messages import NewMessage
from storage.models.messages import message as table
from storage.sealed.primitives import random
from tests.support import privileges
from tests.support.clinic import Clinic, Member
from tests.support.command_line import Command


@pytest.fixture
async def doctor(clinic: Clinic) -> Member:
    await clinic.staffed()
    return await clinic.with_role("doctor", Role.PHYSICIAN)


@pytest.fixture
async def officer(clinic: Clinic, doctor: Member) -> Member:
    for who in clinic.members.values():
        await clinic.present(who)
    return await clinic.with_role("olga", Role.COMPLIANCE_OFFICER)


async def test_a_message_is_listed_deleted_and_brought_back(
    clinic: Clinic, acting: Command, doctor: Member, officer: Member
) -> None:
    message = str(await privileges.message(clinic, doctor))

    code, shown, error = await acting(doctor, "voicemail", "list")
    assert (code, message in shown, "new" in shown) == (Exit.DONE, True, True), error
    assert (await acting(doctor, "voicemail", "delete", message))[0] == Exit.REFUSED
    code, shown, _ = await acting(doctor, "voicemail", "delete", message, "--yes")
    assert (code, shown) == (Exit.DONE, "Deleted.\n")
    assert json.loads((await acting(doctor, "voicemail", "list", "--json"))[1]) == []
    code, shown, _ = await acting(officer, "voicemail", "list", "--deleted")
    assert (code, message in shown) == (Exit.DONE, True)
    assert (await acting(officer, "voicemail", "undelete", message))[:2] == (0, "It is back.\n")
    [found] = json.loads((await acting(doctor, "voicemail", "list", "--json"))[1])
    assert found["id"] == message


async def test_a_hold_is_placed_by_one_and_released_by_two(
    clinic: Clinic, acting: Command, doctor: Member, officer: Member
) -> None:
    mailbox = str(await privileges.owned(clinic, doctor))

    words = ("voicemail", "hold", mailbox, "--reason", "letter of 3 May")
    code, shown, error = await acting(officer, *words, proves=True)
    assert (code, shown.startswith("On hold: ")) == (Exit.DONE, True), error
    hold = shown.split()[-1]
    assert "letter of 3 May" in (await acting(officer, "voicemail", "holds"))[1]
    [found] = json.loads((await acting(officer, "voicemail", "holds", "--json"))[1])
    assert (found["id"], found["mailbox"]) == (hold, mailbox)
    code, shown, error = await acting(officer, "voicemail", "release", hold, proves=True)
    assert (code, "Waits for a second person" in shown) == (Exit.DONE, True), error
    code, _, error = await acting(officer, "voicemail", "release", mailbox, proves=True)
    assert (code, "no such hold" in error) == (Exit.USAGE, True)


async def test_what_is_due_is_purged_and_certified(
    clinic: Clinic, acting: Command, doctor: Member, officer: Member
) -> None:
    statement = msgspec.json.encode(SignedStatement("certificate of destruction", "gone")).decode()
    gone = await privileges.message(
        clinic, doctor, (messages.delete, "owner"), (messages.destroyed, statement)
    )

    code, shown, error = await acting(officer, "voicemail", "purge", "--dry-run")
    assert (code, shown) == (Exit.DONE, "0 would be hidden, 0 would be destroyed.\n"), error
    assert (await acting(officer, "voicemail", "purge"))[0] == Exit.REFUSED
    code, shown, _ = await acting(officer, "voicemail", "purge", "--yes")
    assert (code, shown) == (Exit.DONE, "0 hidden, 0 destroyed.\n")
    _, shown, _ = await acting(officer, "voicemail", "purge", "--dry-run", "--json")
    assert json.loads(shown)["hidden"] == 0
    code, shown, _ = await acting(officer, "voicemail", "certificate", str(gone))
    assert (code, "gone" in shown, "signature" in shown) == (Exit.DONE, True, True)
    code, shown, _ = await acting(officer, "voicemail", "stats")
    assert (code, "HOW MANY" in shown) == (Exit.DONE, True)
    assert json.loads((await acting(officer, "voicemail", "stats", "--json"))[1])


async def test_a_long_purge_goes_in_steps_and_shows_how_far_it_is(
    clinic: Clinic,
    acting: Command,
    doctor: Member,
    officer: Member,
    tmp_path: Path,
) -> None:
    """Five hundred days after they were heard; then those are due that the key holder does not
    know, and none of them is destroyed."""
    count = 2 * AT_A_TIME + 5
    ids = await many(clinic, doctor, count)
    await acting(officer, "voicemail", "stats")  # who is signed in now
    leader, follower = pty.openpty()
    words = ("voicemail", "purge", "--yes", "--data", str(clinic.layout.root))
    purging = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "pbx", *words, stdout=asyncio.subprocess.PIPE, stderr=follower,
        env={**os.environ, "PBX_SESSION": str(tmp_path / officer.login), "TERM": "xterm"},
    )  # fmt: skip
    bar, loop = bytearray(), asyncio.get_running_loop()
    loop.add_reader(leader, lambda: bar.extend(os.read(leader, 65_536)))
    shown, _ = await purging.communicate()
    loop.remove_reader(leader)
    os.close(follower)
    with contextlib.suppress(OSError):  # at the end of what was not read yet
        bar += os.read(leader, 65_536)
    os.close(leader)
    assert (purging.returncode, shown) == (Exit.DONE, f"{count} hidden, 0 destroyed.\n".encode())
    assert b"purging" in bar
    assert b"100%" in bar
    async with clinic.plane.database.read() as connection:
        states = [(await messages.get(connection, id)).state for id in ids]
    assert set(states) == {messages.MessageState.DELETED}
    steps = [row for row in await clinic.rows() if row.action == "message.purged"]
    assert sum((json.loads(row.after) or {}).get("hidden", 0) == AT_A_TIME for row in steps) >= 2

    await clinic.plane.run(backdated, clinic.plane.deed(), ids)
    code, said, error = await acting(officer, "voicemail", "purge", "--yes", "--json")
    done = json.loads(said)
    assert (code, done["hidden"], done["destroyed"]) == (Exit.DONE, 0, 0), error
    assert (done["refused"], done["left"]) == (AT_A_TIME, count - AT_A_TIME)


async def many(clinic: Clinic, owner: Member, count: int) -> list[UUID]:
    """Messages that were heard long ago."""
    first = await privileges.message(clinic, owner)
    async with clinic.plane.database.read() as connection:
        mailbox = (await messages.get(connection, first)).mailbox
    ids = [first, *(clinic.id() for _ in range(count - 1))]
    then = Deed(SYSTEM, clinic.id(), clinic.now - 500 * 86_400_000_000)

    async def work(unit: Unit) -> None:
        for id in ids[1:]:
            new = NewMessage(
                id=id, mailbox=mailbox, content=random(16), deposit_key=clinic.id(), slot=b"s",
                codec="pcmu", milliseconds=1, octets=1, segments=1, digest=random(32),
                received_at=then.at,
            )  # fmt: skip
            await messages.deposit(unit, then, new, None, None)
            await messages.adopted(unit, then, id, b"own slot")
        for id in ids:
            await messages.heard(unit, then, id)

    await clinic.plane.committer.run(work)
    return ids


async def backdated(unit: Unit, _: Deed, ids: list[UUID]) -> None:
    """Hidden long ago."""
    change = table.update().where(table.c.id.in_(ids)).values(state_at=1)
    await unit.connection.execute(change)


async def test_how_long_a_mailbox_keeps_what_was_heard(
    clinic: Clinic, acting: Command, doctor: Member
) -> None:
    mailbox = str(await privileges.owned(clinic, doctor))
    words = ("mailbox", "retention", mailbox)
    root = clinic.members["root"]

    for more, said in (
        ((), "As the policies say.\n"),
        (("--days", "30"), "30 days after they were heard.\n"),
        ((), "30 days after they were heard.\n"),
        (("--default",), "As the policies say.\n"),
    ):
        code, shown, error = await acting(root, *words, *more)
        assert (code, shown) == (Exit.DONE, said), error
    code, shown, error = await acting(root, *words, "--json")
    assert json.loads(shown)["days"] is None


async def test_an_export_that_cannot_be_written_asks_for_nothing(
    clinic: Clinic, acting: Command, doctor: Member, tmp_path: Path
) -> None:
    message = str(await privileges.message(clinic, doctor))
    file, there = tmp_path / "m.wav", tmp_path / "there"
    there.touch()
    count = await clinic.row_count()
    words = ("voicemail", "export", message)
    for more, code, said in (
        ((str(file), "--plain"), Exit.USAGE, "pbx: --plain needs a --reason.\n"),
        (
            (str(file), "--plain", "--reason", "court", "--recipient", "age1"),
            Exit.USAGE,
            "pbx: --plain and --recipient exclude each other.\n",
        ),
        ((str(there),), Exit.REFUSED, f"pbx: {there} is there already.\n"),
        (
            (str(file), "--recipient", "age1nonsense"),
            Exit.USAGE,
            "pbx: A recipient is an age public key: age1 and 58 more characters.\n",
        ),
        (
            (str(tmp_path / "no" / "m.wav"), "--plain", "--reason", "court"),
            Exit.UNAVAILABLE,
            f"pbx: {tmp_path}/no/m.wav: No such file or directory.\n",
        ),
    ):
        answer = await acting(doctor, *words, *more, "--purpose", "court")
        assert (answer[0], answer[2]) == (code, said)
    assert {row.action for row in await clinic.rows(after=count)} <= {"session.opened"}
    assert not file.exists()


async def test_what_the_key_holder_does_not_open_is_refused_and_nothing_is_written(
    clinic: Clinic, acting: Command, doctor: Member, tmp_path: Path
) -> None:
    """The message of these tests exists in the database alone."""
    message, file = str(await privileges.message(clinic, doctor)), tmp_path / "m.age"
    words = ("voicemail", "export", message, str(file), "--purpose", "court")

    code, _, error = await acting(doctor, *words, typed="correct horse battery\n")

    assert code != Exit.DONE
    assert error.splitlines()[-1].startswith("pbx: ")
    assert not file.exists()


def test_sound_goes_into_a_pipe_or_to_a_player_and_never_into_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with pytest.raises(CommandError, match="writes no file"):
            sink_for_listening()
    with Path("/dev/null").open("w") as device:
        monkeypatch.setattr(sys, "stdout", device)
        assert sink_for_listening() is device.buffer


def test_the_player_of_this_machine_hears_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = tmp_path / "heard"
    program = tmp_path / "aplay"
    program.write_text(f"#!/bin/sh\nexec /bin/cat > {heard}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    play(player(), iter([b"RIFF", b"sound"]))

    assert heard.read_bytes() == b"RIFFsound"
    program.write_text("#!/bin/sh\nexit 1\n")  # it has no device, say
    with pytest.raises(CommandError, match="could not play") as refused:
        play(player(), iter([b"RIFF", bytes(1 << 20)]))
    assert refused.value.code == Exit.UNAVAILABLE
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CommandError, match="no audio player here"):
        player()


def test_a_file_is_private_and_never_over_another(tmp_path: Path) -> None:
    file = tmp_path / "message"
    with private_file(file) as into:
        into.writelines([b"one", b"two"])

    assert file.read_bytes() == b"onetwo"
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="is there already"):
        opened(file)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CommandError, match="is there already"):
        opened(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def opened(file: Path) -> None:
    with private_file(file):
        raise AssertionError("over another")


def test_of_a_file_that_is_not_written_to_its_end_nothing_is_left(tmp_path: Path) -> None:
    file = tmp_path / "message.wav"
    with pytest.raises(KeyboardInterrupt), private_file(file) as into:
        into.write(b"RIFF")
        into.flush()
        raise KeyboardInterrupt

    assert not file.exists()
