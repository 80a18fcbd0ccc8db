"""`pbx calls`, `pbx call` and `pbx registrations`, as people read them."""

import json

import pytest

from pbx.access.roles import Role
from pbx.cli import live
from pbx.cli.output import Exit
from tests.support import privileges
from tests.support.clinic import Clinic
from tests.support.command_line import Command


async def test_calls_that_are_over_and_their_receipts(clinic: Clinic, as_root: Command) -> None:
    call = str(await privileges.recorded(clinic))

    code, shown, _ = await as_root("call", "list", "-n", "5")
    assert (code, call in shown, "hung-up" in shown) == (Exit.DONE, True, True)
    _, shown, _ = await as_root("call", "list", "--json")
    assert [one["id"] for one in json.loads(shown)] == [call]

    code, shown, error = await as_root("call", "show", call)
    assert code == Exit.DONE, error
    for words in ("person: answered (hung-up)", "SRTP, AEAD_AES_256_GCM", "TLSv1.3", "MOS 4.3"):
        assert words in shown
    _, shown, _ = await as_root("call", "show", call, "--json")
    assert json.loads(shown)["parties"] is None
    assert "1001" not in shown
    code, _, error = await as_root("call", "show", call, "--parties")
    assert (code, "of your roles allows this" in error) == (Exit.REFUSED, True)


async def test_who_spoke_with_whom_is_for_who_may_read_it(clinic: Clinic, acting: Command) -> None:
    await clinic.staffed()
    officer = await clinic.with_role("olga", Role.COMPLIANCE_OFFICER)
    call = str(await privileges.recorded(clinic))

    code, shown, error = await acting(officer, "call", "show", call, "--parties")

    assert code == Exit.DONE, error
    for words in ("1001", "1002", "blind", "1003"):
        assert words in shown
    _, shown, _ = await acting(officer, "call", "show", call, "--parties", "--json")
    assert json.loads(shown)["parties"]["dialled"] == "1002"


async def test_what_is_up_is_nothing_here(clinic: Clinic, as_root: Command) -> None:
    assert (await as_root("calls"))[1].startswith("0 calls")
    assert json.loads((await as_root("calls", "--json"))[1]) == []
    code, shown, _ = await as_root("registrations")
    assert (code, "SOURCE" in shown) == (Exit.DONE, True)
    assert json.loads((await as_root("registrations", "--json"))[1]) == []

    call = str(clinic.id())
    code, _, error = await as_root("call", "hangup", call, "--yes")
    assert (code, error) == (Exit.FOUND, "pbx: There was no such call any more.\n")
    code, shown, _ = await as_root("call", "hangup", call, "--yes", "--json")
    assert (code, json.loads(shown)["was_live"]) == (Exit.DONE, False)
    code, _, error = await as_root("call", "hangup", call)
    assert (code, "Say --yes" in error) == (Exit.REFUSED, True)


async def test_a_test_call_that_cannot_be_carried_says_so(clinic: Clinic, as_root: Command) -> None:
    """No media worker answers here; that it succeeds is shown with the whole product."""
    code, _, error = await as_root("call", "test", "--address", "127.0.0.1")

    said = error.splitlines()[-1]
    assert (code, said) == (Exit.FOUND, "pbx: The test call failed: the call was answered 503.")


def test_a_table_that_is_watched_is_drawn_again(capsys: pytest.CaptureFixture[str]) -> None:
    drawn: list[int] = []

    def shown() -> None:
        drawn.append(len(drawn))
        if len(drawn) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live.draw(shown, watch=True, every=0)

    assert drawn == [0, 1, 2]
    assert capsys.readouterr().out.count(live.CLEAR) == 2
    live.draw(lambda: drawn.append(9), watch=False)
    assert drawn[-1] == 9
