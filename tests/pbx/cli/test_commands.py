"""The commands as people use them, against a clinic's real administration plane."""

import json
from typing import Any

import pytest

from pbx.access.roles import Role
from pbx.admin.api import create_app
from pbx.admin.server import AdminServer
from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic, Member
from tests.support.command_line import Command, signed_in


async def test_signing_in_looking_around_and_signing_out(clinic: Clinic, command: Command) -> None:
    root = await clinic.found()
    await signed_in(clinic, command, root)

    code, shown, _ = await command(root, "whoami", "--json")
    assert code == Exit.DONE
    assert json.loads(shown)["login"] == "root"
    assert (await command(root, "logout"))[0] == Exit.DONE

    code, _, error = await command(root, "whoami")
    assert (code, error) == (Exit.REFUSED, "pbx: Sign in first: pbx login\n")


async def test_a_wrong_code_is_refused_with_exit_3(clinic: Clinic, command: Command) -> None:
    root = await clinic.found()

    code, _, error = await command(root, "login", "root", typed=f"{root.password}\n000000\n")

    assert code == Exit.REFUSED
    assert "refused" in error
    assert root.password not in error


async def test_a_session_file_that_others_can_read_is_not_used(
    clinic: Clinic, command: Command, tmp_path: Any
) -> None:
    root = await clinic.found()
    await signed_in(clinic, command, root)
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o600
    (tmp_path / "root").chmod(0o644)

    assert (await command(root, "whoami"))[0] == Exit.REFUSED


@pytest.mark.parametrize("held", [b"\xff\xfe", b"abcd\n", b""])
async def test_a_session_file_that_is_none_says_to_sign_in_again(
    clinic: Clinic, command: Command, tmp_path: Any, held: bytes
) -> None:
    root = await clinic.found()
    (tmp_path / "root").write_bytes(held)
    (tmp_path / "root").chmod(0o600)

    code, _, error = await command(root, "pin", typed="730915\n123456\n")

    assert code == Exit.REFUSED
    assert "pbx login" in error


@pytest.mark.parametrize(
    "words",
    [
        ("person", "show", ""),
        ("person", "leave", "", "--yes"),
        ("device", "show", ".."),
        ("group", "remove", ".", "--yes"),
    ],
)
async def test_a_name_that_is_empty_asks_the_exchange_for_nothing(
    clinic: Clinic, command: Command, words: tuple[str, ...]
) -> None:
    """A script's variable that was never set."""
    root = await clinic.found()
    await signed_in(clinic, command, root)

    code, _, error = await command(root, *words)

    assert (code, error) == (Exit.USAGE, "pbx: A name is missing: it is empty, or only dots.\n")


async def test_a_person_from_first_day_to_last(clinic: Clinic, command: Command) -> None:
    root = await clinic.found()
    await signed_in(clinic, command, root)
    anna = Member(clinic.id(), "anna")

    def code_() -> str:
        return f"{clinic.code(root)}\n"

    done, _, error = await command(root, "person", "add", "anna", "Anna Able", typed=code_())
    assert done == Exit.DONE, error
    done, shown, error = await command(root, "person", "enrolment", "anna", typed=code_())
    assert done == Exit.DONE, error
    one_time = shown.split("shown once: ")[1].split("\n")[0]
    done, shown, error = await command(root, "extension", "assign", "1042", "anna", typed=code_())
    assert done == Exit.DONE, error
    done, shown, _ = await command(root, "extension", "show", "1042")
    assert "1042" in shown

    await clinic.use_code(anna, one_time)
    clinic.members["anna"] = anna
    await signed_in(clinic, command, anna)
    assert (await command(anna, "person", "list"))[0] == Exit.REFUSED
    assert (await command(anna, "sessions", "list"))[0] == Exit.DONE

    words = ("person", "leave", "anna", "--yes")
    done, shown, error = await command(root, *words, typed=code_())
    assert done == Exit.DONE, error
    assert "everything ended within" in shown
    assert (await command(anna, "whoami"))[0] == Exit.REFUSED
    done, shown, _ = await command(root, "history", "extension", "1042")
    assert "extension.released" in shown


async def test_a_grant_takes_two_people(clinic: Clinic, command: Command) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(root)
    desk = await clinic.hire("desk", root)
    await signed_in(clinic, command, root)
    await signed_in(clinic, command, manager)

    words = ("role", "grant", "desk", Role.FRONT_DESK, "--reason", "reception", "--json")
    done, shown, error = await command(root, *words, typed=f"{clinic.code(root)}\n")
    assert done == Exit.DONE, error
    proposal = json.loads(shown)["proposal"]
    approve = ("approval", "approve", proposal, "--yes")
    refused, _, error = await command(root, *approve, typed=f"{clinic.code(root)}\n")
    assert refused == Exit.REFUSED, error
    done, _, error = await command(manager, *approve, typed=f"{clinic.code(manager)}\n")
    assert done == Exit.DONE, error

    _, shown, _ = await command(manager, "role", "list", "--person", str(desk.id), "--json")
    [grant] = json.loads(shown)
    assert (grant["role"], grant["state"]) == ("front-desk", "active")
    assert grant["approved_by"] == str(manager.id)
    assert not grant["by_installation"]


async def test_undo_gives_the_number_back_with_its_mailbox(
    clinic: Clinic, command: Command
) -> None:
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(root)
    await clinic.enrol(await clinic.hire("anna", root), root, await clinic.present(manager))
    await clinic.hire("ben", root)
    await signed_in(clinic, command, root)
    await signed_in(clinic, command, manager)
    for who in ("anna", "ben"):
        words = ("extension", "assign", "1042", who, "--yes")
        assert (await command(root, *words, typed=f"{clinic.code(root)}\n"))[0] == Exit.DONE

    undo = ("undo", "1042", "--yes", "--json")
    done, shown, error = await command(root, *undo, typed=f"{clinic.code(root)}\n")
    assert done == Exit.DONE, error
    approve = ("approval", "approve", json.loads(shown)["proposal"], "--yes")
    alone, _, _ = await command(root, *approve, typed=f"{clinic.code(root)}\n")
    assert alone == Exit.REFUSED
    done, _, error = await command(manager, *approve, typed=f"{clinic.code(manager)}\n")

    assert done == Exit.DONE, error
    boxes = await clinic.plane.keyholder.mailboxes()
    opened = [box.owner for box in boxes if box.closed is None]
    assert opened == [clinic.members["anna"].id]
    done, _, error = await command(root, "undo", "1042", "--yes")
    assert done == Exit.REFUSED
    assert "could be undone" in error


async def test_the_role_table_needs_no_session(clinic: Clinic, command: Command) -> None:
    done, shown, _ = await command(None, "role", "matrix")

    assert done == Exit.DONE
    assert "person-leave" in shown


async def test_without_a_terminal_what_cannot_be_undone_wants_yes(
    clinic: Clinic, command: Command
) -> None:
    root = await clinic.found()
    await clinic.hire("anna", root)
    await signed_in(clinic, command, root)

    done, _, error = await command(root, "person", "leave", "anna")

    assert done == Exit.REFUSED
    assert "--yes" in error


async def test_everything_an_administrator_looks_at(clinic: Clinic, command: Command) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    await clinic.hire("anna", root)
    await signed_in(clinic, command, root)

    for words, is_dangerous in (
        (("device", "add", "front door"), False),
        (("device", "place", "front door", "exam-room"), False),
        (("extension", "assign", "1042", "anna"), True),
        (("device", "assign", "front door", "1042"), False),
        (("device", "show", "front door"), False),
        (("device", "list"), False),
        (("extension", "list"), False),
        (("person", "list"), False),
        (("person", "show", "anna"), False),
        (("person", "rename", "anna", "Anna Other"), False),
        (("person", "end-date", "anna", "+3d"), True),
        (("person", "end-date", "anna", "+9d"), True),
        (("person", "unlock", "anna"), True),
        (("policy", "list"), False),
        (("policy", "set", "session-limit", "4", "--until", "+7d"), True),
        (("approval", "list"), False),
        (("role", "list", "--ended"), False),
        (("sessions", "list", "--all"), False),
        (("history", "person", "anna"), False),
        (("extension", "release", "1042", "--yes"), True),
        (("keys", "rotate", "--yes"), True),
    ):
        typed = f"{clinic.code(root)}\n" if is_dangerous else ""
        done, shown, error = await command(root, *words, typed=typed)
        assert done == Exit.DONE, (words, error)
        assert shown, words

    words = ("exceptions", "grant", "md5-device", "front door", "--owner", "anna")
    done, _, error = await command(root, *words, "--reason", "old phone", "--until", "+30d")
    assert done == Exit.DONE, error
    done, shown, _ = await command(root, "exceptions", "list", "--json")
    [exception] = json.loads(shown)
    assert (await command(root, "exceptions", "close", exception["id"], "--yes"))[0] == Exit.DONE
    assert (await command(root, "keys", "status"))[0] == Exit.FOUND


async def test_ones_own_password_factor_and_pin(clinic: Clinic, command: Command) -> None:
    root = await clinic.found()
    await signed_in(clinic, command, root)
    new = "another long password"

    typed = f"{root.password}\n{new}\n{clinic.code(root)}\n"
    assert (await command(root, "password", typed=typed))[0] == Exit.DONE
    root.password = new
    typed = f"739154\n{clinic.code(root)}\n"
    assert (await command(root, "pin", "--extension", "1042", typed=typed))[0] == Exit.DONE
    typed = f"tiny\n{clinic.code(root)}\n"
    done, _, error = await command(root, "password", typed=f"{new}\n{typed}")

    assert (done, error) == (Exit.USAGE, "pbx: A password has at least 12 characters.\n")
    assert (await clinic.try_sign_in(root)).is_success


@pytest.mark.parametrize("text", ["soon", "+5", "+99999999d", "2026-13-01", ""])
async def test_a_moment_that_is_none_is_wrong_usage(
    clinic: Clinic, command: Command, text: str
) -> None:
    root = await clinic.found()
    await signed_in(clinic, command, root)

    done, _, error = await command(root, "person", "end-date", "root", text)

    assert done == Exit.USAGE
    assert "moment" in error


async def test_an_approval_shows_and_signs_what_the_key_holder_holds(
    clinic: Clinic, command: Command
) -> None:
    """An exchange that shows one act with another one's digest gets a yes to neither."""
    await clinic.staffed()
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(root)
    await clinic.hire("desk", root)
    await clinic.hire("victim", root)
    for who in (root, manager):
        await signed_in(clinic, command, who)
    waits = []
    for whom, role in (("desk", Role.FRONT_DESK), ("victim", Role.BILLING)):
        words = ("role", "grant", whom, role, "--reason", "reception", "--json")
        done, shown, error = await command(root, *words, typed=f"{clinic.code(root)}\n")
        assert done == Exit.DONE, error
        waits.append(json.loads(shown)["proposal"])

    approve = ("approval", "approve", waits[0], "--yes")
    liar = Liar(create_app(clinic.context), waits)
    await clinic.server.stop()
    lying = AdminServer(liar, clinic.layout.admin_socket)
    await lying.start()
    done, _, error = await command(manager, *approve, typed=f"{clinic.code(manager)}\n")
    assert done == Exit.REFUSED
    assert "does not show what the key holder holds" in error
    assert liar.lies == 1

    liar.waits = []
    done, shown, error = await command(manager, *approve, typed=f"{clinic.code(manager)}\n")
    assert done == Exit.DONE, error
    assert "grant-role, asked for by root" in shown
    assert "person: desk (" in shown
    assert "role: front-desk" in shown
    await lying.stop()


class Liar:
    """An exchange in an attacker's hands: shows the first proposal with the second one's proof."""

    def __init__(self, app: Any, waits: list[str]) -> None:
        self.app, self.waits, self.lies = app, waits, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/proposals" or not self.waits:
            await self.app(scope, receive, send)
            return
        said: list[Any] = []

        async def keep(message: Any) -> None:
            said.append(message)

        await self.app(scope, receive, keep)
        start, body = said[0], b"".join(one.get("body", b"") for one in said[1:])
        shown = {one["id"]: one for one in json.loads(body)}
        first, second = (shown[one] for one in self.waits)
        lie = first | {"digest": second["digest"], "statement": second["statement"]}
        changed = json.dumps([lie]).encode()
        headers = [(k, v) for k, v in start["headers"] if k != b"content-length"]
        length = (b"content-length", str(len(changed)).encode())
        await send(start | {"headers": [*headers, length]})
        await send({"type": "http.response.body", "body": changed})
        self.lies += 1


async def test_break_glass_takes_two_people_at_two_terminals(
    clinic: Clinic, command: Command
) -> None:
    await clinic.staffed()
    anna = await clinic.with_role("anna", Role.PHYSICIAN)
    number = await privileges.extension(clinic, anna)
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(root)
    await clinic.present(manager)
    nurse = await clinic.with_role("nurse", Role.CLINICAL_STAFF)
    for who in (nurse, manager):
        await signed_in(clinic, command, who)
    words = ("breakglass", "request", "anna", "--reason", "cannot wait", "--yes")
    hostile = ("breakglass", "request", "anna", "--reason", "lab\x1b[2J", "--yes")

    refused, _, error = await command(nurse, *hostile, typed=f"{clinic.code(nurse)}\n")
    assert refused == Exit.USAGE, error
    done, shown, error = await command(nurse, *words, typed=f"{clinic.code(nurse)}\n")
    assert done == Exit.DONE, error
    proposal = shown.split("approve ")[1].strip()
    approve = ("breakglass", "approve", proposal, "--yes")
    alone, _, _ = await command(nurse, *approve, typed=f"{clinic.code(nurse)}\n")
    assert alone == Exit.REFUSED
    done, shown, error = await command(manager, *approve, typed=f"{clinic.code(manager)}\n")
    assert done == Exit.DONE, error
    assert "cannot wait" in shown
    assert "mailbox of anna" in shown

    _, shown, _ = await command(manager, "breakglass", "list")
    assert "nurse" in shown
    for other in ("nobody's", number):
        words = ("breakglass", "end", other)
        code, _, error = await command(nurse, *words, typed=f"{clinic.code(nurse)}\n")
        assert code == (Exit.DONE if other == number else Exit.USAGE), error
    _, shown, _ = await command(nurse, "breakglass", "list", "--json")
    assert json.loads(shown) == []
    gone, _, _ = await command(manager, *approve, typed=f"{clinic.code(manager)}\n")
    assert gone == Exit.USAGE
