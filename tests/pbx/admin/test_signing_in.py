"""Signing in: two factors sealed to the key holder, a session bound to an account, and its end."""

import base64

import pytest

from pbx.access.roles import Role
from tests.support.clinic import Clinic


async def test_the_first_administrator_signs_in_with_two_factors(clinic: Clinic) -> None:
    root = await clinic.found()

    answer = await clinic.do(root, "GET", "/v1/session")

    assert answer["login"] == "root"
    assert answer["roles"] == ["system-administrator"]
    assert "person-add" in answer["may"]


async def test_nobody_else_becomes_first_administrator(clinic: Clinic) -> None:
    await clinic.found()

    with pytest.raises(Exception, match="refused"):
        await clinic.found()


async def test_a_wrong_password_is_refused_without_a_reason_and_leaves_a_row(
    clinic: Clinic,
) -> None:
    root = await clinic.found()

    for changes in ({"password": "wrong wrong wrong"}, {"totp": "000000"}):
        response = await clinic.try_sign_in(root, **changes)
        assert response.status_code == 403
        assert response.json()["error"].startswith("The key holder refused")

    row = (await clinic.rows())[-1]
    assert (row.action, row.outcome) == ("session.opened", "refused")


async def test_a_code_signs_in_once(clinic: Clinic) -> None:
    root = await clinic.found()
    code = clinic.code(root)

    assert (await clinic.try_sign_in(root, totp=code)).is_success
    assert (await clinic.try_sign_in(root, totp=code)).status_code == 403


async def test_a_recovery_code_signs_in_once(clinic: Clinic) -> None:
    root = await clinic.found()
    code = root.recovery[0]

    assert (await clinic.try_sign_in(root, totp="", recovery_code=code)).is_success
    assert (await clinic.try_sign_in(root, totp="", recovery_code=code)).status_code == 403


async def test_signing_out_ends_the_session_here_and_at_the_key_holder(clinic: Clinic) -> None:
    root = await clinic.found()

    await clinic.do(root, "DELETE", "/v1/session")

    assert (await clinic.ask(root, "GET", "/v1/session")).status_code == 401
    assert await clinic.plane.keyholder.sessions(root.id) == ()


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\x7f" * 43, "A" * 4000])
async def test_what_is_no_token_is_not_signed_in(clinic: Clinic, token: str) -> None:
    await clinic.found()

    assert (await clinic.ask(token, "GET", "/v1/session")).status_code == 401


async def test_an_idle_session_ends_and_its_end_is_recorded(clinic: Clinic) -> None:
    root = await clinic.found()
    clinic.pass_(15 * 60)

    assert (await clinic.ask(root, "GET", "/v1/session")).status_code == 401

    ended = [row for row in await clinic.rows() if row.action == "session.ended"]
    assert '"reason":"idle"' in ended[-1].after


async def test_a_sensitive_session_ends_after_five_idle_minutes(clinic: Clinic) -> None:
    await clinic.staffed()
    manager = clinic.members["manager"]
    await clinic.sign_in(manager)
    clinic.pass_(5 * 60)

    assert (await clinic.ask(manager, "GET", "/v1/session")).status_code == 401


async def test_activity_keeps_a_session_but_not_beyond_twelve_hours(clinic: Clinic) -> None:
    root = await clinic.found()

    for _ in range(72):
        assert (await clinic.ask(root, "GET", "/v1/roles")).is_success
        assert (await clinic.ask(root, "GET", "/v1/session")).is_success
        clinic.pass_(10 * 60)

    assert (await clinic.ask(root, "GET", "/v1/session")).status_code == 401


async def test_the_oldest_session_gives_way_to_a_sixth(clinic: Clinic) -> None:
    root = await clinic.found()
    oldest = root.token
    for _ in range(4):
        assert (await clinic.sign_in(root))["displaced"] == 0

    assert (await clinic.sign_in(root))["displaced"] == 1

    assert (await clinic.ask(oldest, "GET", "/v1/session")).status_code == 401
    sessions = await clinic.do(root, "GET", "/v1/own/sessions")
    assert len(sessions) == 5
    assert [session["is_this"] for session in sessions].count(True) == 1


async def test_a_session_of_another_account_of_the_machine_is_refused(clinic: Clinic) -> None:
    root = await clinic.found()
    async with clinic.plane.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE session SET os_uid = os_uid + 1")

    response = await clinic.ask(root, "GET", "/v1/session")

    assert response.status_code == 401
    assert "another account" in response.json()["error"]


async def test_one_ends_ones_own_sessions_and_nobody_elses(clinic: Clinic) -> None:
    await clinic.staffed()
    root = clinic.members["root"]
    desk = await clinic.with_role("desk", Role.FRONT_DESK)
    await clinic.sign_in(root)

    denied = await clinic.ask(desk, "DELETE", f"/v1/own/sessions/{root.session}")
    assert denied.status_code == 404
    await clinic.do(desk, "DELETE", f"/v1/own/sessions/{desk.session}")

    assert (await clinic.ask(desk, "GET", "/v1/session")).status_code == 401
    assert (await clinic.ask(root, "GET", "/v1/session")).is_success


async def test_an_administrator_ends_anybodys_session(clinic: Clinic) -> None:
    await clinic.staffed()
    root = clinic.members["root"]
    desk = await clinic.with_role("desk", Role.FRONT_DESK)
    await clinic.sign_in(root)
    listed = await clinic.do(root, "GET", "/v1/sessions")
    assert str(desk.session) in {session["id"] for session in listed}

    await clinic.do(root, "DELETE", f"/v1/sessions/{desk.session}")

    assert (await clinic.ask(desk, "GET", "/v1/session")).status_code == 401
    assert await clinic.plane.keyholder.sessions(desk.id) == ()
    again = await clinic.ask(root, "DELETE", f"/v1/sessions/{desk.session}")
    assert again.status_code == 409


async def test_a_session_the_key_holder_forgot_is_over(clinic: Clinic) -> None:
    root = await clinic.found()
    clinic.house.reopen()

    assert (await clinic.ask(root, "GET", "/v1/session")).status_code == 401


async def test_the_token_is_not_stored(clinic: Clinic) -> None:
    root = await clinic.found()
    handle = base64.urlsafe_b64decode(root.token + "=")

    stored = clinic.layout.database_file.read_bytes()
    stored += clinic.layout.database_file.with_name("pbx.sqlite-wal").read_bytes()

    assert handle not in stored
    assert root.token.encode() not in stored
