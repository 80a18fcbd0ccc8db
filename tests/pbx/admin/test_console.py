"""The live console's look: what it shows to whom, and that a screen keeps no session alive."""

import msgspec
import pytest

from pbx.access.roles import Role
from pbx.access.sessions import IDLE, IDLE_SENSITIVE, SECOND
from pbx.admin.console import NOTED_EVERY
from pbx.admin.wire.console import ConsoleView
from tests.support import privileges
from tests.support.clinic import Clinic, Member

MINUTE = 60


async def look(clinic: Clinic, who: Member, **query: str) -> ConsoleView:
    answer = await clinic.do(who, "GET", "/v1/console", **query)
    return msgspec.convert(answer, ConsoleView)


async def test_a_screen_that_asks_by_itself_idles_out_like_any_session(clinic: Clinic) -> None:
    root = await clinic.found()
    await clinic.sign_in(root)
    signed_in = clinic.now

    view = await look(clinic, root)
    for _ in range(14):
        clinic.pass_(MINUTE)
        view = await look(clinic, root)
        assert view.locks_at == signed_in + IDLE
    clinic.pass_(MINUTE)

    assert (await clinic.ask(root, "GET", "/v1/console")).status_code == 401


async def test_a_key_keeps_it_alive(clinic: Clinic) -> None:
    root = await clinic.found()
    await clinic.sign_in(root)

    for _ in range(20):
        clinic.pass_(MINUTE)
        await look(clinic, root, active="true")
    view = await look(clinic, root)

    assert view.locks_at == clinic.now + IDLE


async def test_whoever_audits_is_locked_out_sooner(clinic: Clinic) -> None:
    await clinic.staffed()
    officer = await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)
    await clinic.sign_in(officer)
    signed_in = clinic.now

    assert (await look(clinic, officer)).locks_at == signed_in + IDLE_SENSITIVE
    clinic.pass_(IDLE_SENSITIVE / SECOND)

    assert (await clinic.ask(officer, "GET", "/v1/console")).status_code == 401


async def test_watching_is_written_down_at_first_and_each_hour(clinic: Clinic) -> None:
    root = await clinic.found()
    await clinic.sign_in(root)
    count = await clinic.row_count()

    for _ in range(13):
        await look(clinic, root, active="true")
        clinic.pass_(NOTED_EVERY / SECOND / 12)
    rows = [row.action for row in await clinic.rows(after=count)]

    assert rows == ["console.watched"] * 2


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.SYSTEM_ADMINISTRATOR, {"calls", "registrations", "exceptions", "ledger"}),
        (Role.HELP_DESK, {"calls", "registrations"}),
        (Role.PRACTICE_MANAGER, {"registrations", "exceptions", "ledger"}),
    ],
)
async def test_each_role_sees_its_own_panels(clinic: Clinic, role: Role, shown: set[str]) -> None:
    await clinic.staffed()
    named = {Role.SYSTEM_ADMINISTRATOR: "root", Role.PRACTICE_MANAGER: "manager"}
    who = clinic.members.get(named.get(role, "")) or await clinic.with_role("somebody", role)

    view = await look(clinic, await clinic.present(who))

    panels = ("calls", "registrations", "exceptions", "ledger")
    assert {name for name in panels if getattr(view, name) is not None} == shown


async def test_an_exception_is_shown_by_its_phone_and_without_its_reason(clinic: Clinic) -> None:
    await clinic.staffed()
    root = clinic.members["root"]

    answer = await privileges.USES["POST", "/v1/exceptions"](clinic, await clinic.present(root))
    assert answer.is_success, answer.text

    view = await look(clinic, root)

    assert view.exceptions
    assert view.exceptions[0].kind in ("md5-device", "longer-idle")
    assert b"reason" not in msgspec.json.encode(view.exceptions)
