"""The whole role x route matrix through the real API, with the routes found in the application.

An allowed pair works and leaves a row that says it was done; a denied pair leaves a refusal and
changes nothing. A route nobody described how to use fails here, so none is forgotten.
"""

import hashlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from pbx.access.roles import Role, is_allowed
from pbx.admin.api import create_app
from pbx.admin.rules import Rule, declared
from storage.ledger.actions import Action
from tests.support.clinic import Clinic, Member
from tests.support.privileges import USES

COPIED = ("person", "role_grant", "session", "extension", "tenure", "device", "phone_identity")
RULES = ("policy_value", "exception")


def routes(clinic: Clinic) -> list[tuple[str, str, Rule]]:
    app = create_app(clinic.context)
    return [(method, path, rule) for method, path, _, rule in declared(app)]


async def fingerprint(clinic: Clinic) -> bytes:
    """Everything the exchange knows, but for sign-ins and what the ledger says of refusals."""
    digest = hashlib.sha256()
    async with clinic.plane.database.read() as connection:
        for table in (*COPIED, *RULES):
            columns = "id, ended_at" if table == "session" else "*"
            if table == "person":
                columns = "id, state, until, name_sealed, ended_at, version"
            rows = await connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY 1"))  # noqa: S608
            digest.update(repr(rows.all()).encode())
    return digest.digest()


@pytest.fixture
async def whole_clinic(clinic: Clinic) -> AsyncIterator[Clinic]:
    """Somebody of every role, and one person of none."""
    await clinic.staffed()
    for role in Role:
        if role in (Role.SYSTEM_ADMINISTRATOR, Role.PRACTICE_MANAGER):
            continue
        for name in ("root", "manager"):
            await clinic.present(clinic.members[name])
        await clinic.with_role(f"{role}", role)
    for name in ("root", "manager"):
        await clinic.present(clinic.members[name])
    await clinic.with_role("nobody")
    yield clinic


def member_of(clinic: Clinic, role: Role | None) -> Member:
    named: dict[Any, str] = {
        Role.SYSTEM_ADMINISTRATOR: "root",
        Role.PRACTICE_MANAGER: "manager",
        None: "nobody",
    }
    return clinic.members[named.get(role, str(role))]


async def rows_after(clinic: Clinic, count: int) -> list[tuple[str, str]]:
    return [(row.action, row.outcome) for row in (await clinic.rows())[count:]]


async def test_every_route_is_described(clinic: Clinic) -> None:
    found = {(method, path) for method, path, _ in routes(clinic)}

    assert found == set(USES)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_every_pair_of_role_and_route(whole_clinic: Clinic) -> None:
    clinic = whole_clinic
    guarded = [route for route in routes(clinic) if route[2].privilege is not None]
    assert len(guarded) > 40

    for role, (method, path, rule) in itertools.product([*Role, None], guarded):
        who = await clinic.present(member_of(clinic, role))
        assert rule.privilege is not None
        assert rule.action is not None
        pair = f"{role or 'nobody'} {method} {path}"
        count = len(await clinic.rows())
        if is_allowed([role] if role else [], rule.privilege):
            response = await USES[method, path](clinic, who)
            assert response.is_success, (pair, response.status_code, response.text)
            waits = isinstance(response.json(), dict) and response.json().get("proposal")
            expected = Action.PROPOSAL_MADE if waits else rule.action
            assert (expected, "done") in await rows_after(clinic, count), pair
            if method == "DELETE" or path.startswith("/v1/own/"):
                who.token = ""  # it may just have ended
        else:
            before = await fingerprint(clinic)
            response = await clinic.ask(who, method, _filled(path))
            assert response.status_code == 403, (pair, response.status_code, response.text)
            assert await rows_after(clinic, count) == [(rule.action, "refused")], pair
            assert await fingerprint(clinic) == before, pair


def _filled(path: str) -> str:
    """A denied route is refused before anybody looks whether the object exists."""
    unknown = "00000000-0000-7000-8000-000000000000"
    return "/".join(unknown if part.startswith("{") else part for part in path.split("/"))
