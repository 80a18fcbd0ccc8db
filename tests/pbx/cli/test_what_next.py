"""What cannot work is said before a second factor is asked for, with what can be done instead."""

from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.command_line import Command, signed_in


async def test_recovery_that_nobody_could_use_is_wrong_usage(
    clinic: Clinic, command: Command
) -> None:
    root = await clinic.found()
    await signed_in(clinic, command, root)
    for words in (
        ("--holder", "root"), ("--holder", "root", "--holder", "root"),
        ("--holder", "root", "--holder", "ben", "--threshold", "3"),
        ("--holder", "root", "--holder", "ben", "--threshold", "1"),
    ):  # fmt: skip
        code, _, error = await command(root, "keys", "recovery", *words)
        assert (code, "2 to 16 holders" in error) == (Exit.USAGE, True), words
    code, _, error = await command(root, "keys", "recovery", typed="short\n")
    assert (code, "at least 12" in error) == (Exit.USAGE, True)

    code, shown, _ = await command(root, "keys", "status")
    assert (code, "pbx keys recovery" in shown) == (Exit.FOUND, True)


async def test_whoever_left_is_neither_let_in_nor_enrolled_again(
    clinic: Clinic, command: Command
) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    anna = await privileges.newcomer(clinic)
    await signed_in(clinic, command, await clinic.present(root))
    code, _, error = await command(
        root, "person", "enrolment", anna.login, typed=f"{clinic.code(root)}\n"
    )
    assert code == Exit.DONE, error
    assert (await privileges.leave(clinic, await clinic.present(root), anna)).is_success
    await signed_in(clinic, command, await clinic.present(root))

    for verb in ("enrolment", "resume"):
        code, _, error = await command(root, "person", verb, anna.login)
        assert (code, "has left, for good" in error) == (Exit.REFUSED, True), verb


async def test_a_span_that_ends_before_it_begins_and_what_is_not_there_are_wrong_usage(
    clinic: Clinic, command: Command
) -> None:
    root = await clinic.found()
    for words in (
        ("search", "--from", "1h", "--until", "2h"),
        ("verify", "--from", "2026-11-02", "--to", "2026-11-01"),
        ("verify", "--anchor", "/dev/none.json"),
        ("verify", "--segments", "/dev/none"),
    ):
        code, _, error = await command(root, "audit", *words)
        assert code == Exit.USAGE, (words, error)
