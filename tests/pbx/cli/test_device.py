"""`pbx device`: a phone from its first day to its last."""

import json
from pathlib import Path

from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.command_line import Command

LABEL = "exam room 3"


async def test_a_phone_is_added_placed_assigned_and_removed(
    clinic: Clinic, as_root: Command
) -> None:
    number, site = await privileges.extension(clinic), await privileges.site(clinic)
    code, shown, error = await as_root("device", "add", LABEL, "--place", "exam-room")
    assert code == Exit.DONE, error
    assert "Type this into the phone" in shown
    assert "RFC 8760" in shown
    _, shown, _ = await as_root("device", "add", "lobby", "--json")
    assert json.loads(shown)["algorithm"] == "SHA-256"

    for words, said in (
        (("place", LABEL, "lobby"), "The phone is placed.\n"),
        (("assign", LABEL, number), "The phone is assigned.\n"),
        (("site", LABEL, site), "The phone stands there now.\n"),
        (("emergency", LABEL), "The phone rings for emergency calls.\n"),
        (("lamp", LABEL, "--no"), "The lamp stays dark.\n"),
        (("unlock", LABEL), "0 locks were opened.\n"),
    ):
        assert await as_root("device", *words) == (Exit.DONE, said, ""), words
    code, shown, _ = await as_root("device", "show", LABEL)
    assert (code, number in shown, "never" in shown) == (Exit.DONE, True, True)
    _, shown, _ = await as_root("device", "list")
    assert f"{LABEL}" in shown
    assert "answers" in shown
    _, shown, _ = await as_root("device", "list", "--json")
    assert {one["label"] for one in json.loads(shown)} == {LABEL, "lobby"}

    for words, said in (
        (("assign", LABEL, "none"), "The phone is assigned.\n"),
        (("site", LABEL, "none"), "The phone stands there now.\n"),
        (("emergency", LABEL, "--no"), "The phone rings for no emergency call.\n"),
        (("lamp", LABEL), "The lamp tells.\n"),
        (("remove", LABEL, "--yes"), "The phone is removed.\n"),
    ):
        assert await as_root("device", *words) == (Exit.DONE, said, ""), words
    code, _, error = await as_root("device", "show", LABEL)
    assert code == Exit.USAGE, error


async def test_what_a_phone_logs_in_with(clinic: Clinic, as_root: Command, tmp_path: Path) -> None:
    await as_root("device", "add", LABEL)
    code, shown, _ = await as_root("device", "rotate-secret", LABEL, "--yes")
    assert (code, "The secret is shown once" in shown) == (Exit.DONE, True)
    assert (await as_root("device", "rotate-secret", LABEL))[0] == Exit.REFUSED

    out = tmp_path / "phone.pem"
    code, shown, error = await as_root("device", "certificate", LABEL, "--out", str(out))
    assert (code, "No copy is kept." in shown) == (Exit.DONE, True), error
    assert out.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" in out.read_text()
    code, _, error = await as_root("device", "certificate", LABEL, "--out", str(out))
    assert (code, "exists already" in error) == (Exit.USAGE, True)
    _, shown, _ = await as_root("device", "certificate", LABEL)
    assert "BEGIN CERTIFICATE" in shown
    _, shown, _ = await as_root("device", "certificate", LABEL, "--json")
    assert json.loads(shown)["identity"].startswith("sip:")
    (tmp_path / "odd.csr").write_text("nothing")
    words = ("device", "certificate", LABEL, "--request", str(tmp_path / "odd.csr"))
    assert (await as_root(*words))[0] == Exit.REFUSED
    _, shown, _ = await as_root("device", "list")
    assert "SHA-256, certificate" in shown
    code, shown, _ = await as_root("device", "certificate", LABEL, "--withdraw")
    assert (code, shown) == (Exit.DONE, "Its certificate counts no more.\n")


async def test_a_phone_that_can_do_md5_alone_needs_somebody_who_answers_for_it(
    clinic: Clinic, as_root: Command
) -> None:
    code, _, error = await as_root("device", "add", "old", "--md5")
    assert (code, error) == (Exit.USAGE, "pbx: --md5 needs --owner, --reason and --until.\n")

    words = ("--owner", "root", "--reason", "ten years old", "--until", "+30d")
    code, shown, error = await as_root("device", "add", "old", "--md5", *words)

    assert (code, "MD5" in shown) == (Exit.DONE, True), error
    assert "RFC 8760" not in shown
    _, shown, _ = await as_root("exceptions", "list")
    assert "md5-device" in shown


async def test_two_who_change_the_same_phone_do_not_lose_a_change(
    clinic: Clinic, as_root: Command
) -> None:
    await as_root("device", "add", LABEL)
    root = clinic.members["root"]
    path = f"/v1/devices/{LABEL}/place"
    await clinic.do(root, "POST", path, {"version": 1, "place": "exam-room"})

    late = await clinic.ask(root, "POST", path, {"version": 1, "place": "lobby"})

    assert late.status_code == 409
    assert (await as_root("device", "place", LABEL, "lobby"))[0] == Exit.DONE
