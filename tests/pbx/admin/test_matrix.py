"""The whole role x route matrix through the real API, with the routes found in the application.

An allowed pair works and leaves a row that says it was done; a denied pair leaves a refusal and
changes nothing. A route nobody described how to use fails here, so none is forgotten.
"""

import hashlib
import sqlite3
from contextlib import closing

import pytest

from pbx.access.roles import Role, is_allowed
from pbx.admin.rules import Rule, declared
from storage.ledger.actions import Action
from tests.support import privileges
from tests.support.clinic import Clinic, Member, application
from tests.support.privileges import USES
from tests.support.thief import message_in, opens

COPIED = (
    "person", "role_grant", "session", "extension", "tenure", "reach", "ring_group",
    "ring_group_state", "device", "phone_identity", "shared_mailbox", "organisation",
    "site", "message", "legal_hold",
)  # fmt: skip
RULES = ("policy_value", "exception")
OPENINGS = ("listening", "export", "plain-export")
"""What the key holder decides by mailbox, whatever the role: here it refuses, after the intent."""
Route = tuple[str, str, Rule]


def routes() -> list[Route]:
    return [(method, path, rule) for method, path, _, rule in declared(application())]


def fingerprint(clinic: Clinic) -> bytes:
    """Everything the exchange knows, but for sign-ins and what the ledger says of refusals."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(clinic.layout.database_file)) as connection:
        for table in (*COPIED, *RULES):
            columns = "id, ended_at" if table == "session" else "*"
            if table == "person":
                columns = "id, state, until, name_sealed, ended_at, version"
            rows = connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1")  # noqa: S608
            digest.update(repr(rows.fetchall()).encode())
    return digest.digest()


async def member_of(clinic: Clinic, role: Role | None) -> Member:
    """Somebody who holds this role and no other."""
    named = {Role.SYSTEM_ADMINISTRATOR: "root", Role.PRACTICE_MANAGER: "manager"}
    if role in named:
        return clinic.members[named[role]]
    return await clinic.with_role(*("nobody",) if role is None else (str(role), role))


async def rows_after(clinic: Clinic, count: int) -> list[tuple[str, str]]:
    return [(row.action, row.outcome) for row in await clinic.rows(after=count)]


async def test_every_route_is_described(clinic: Clinic) -> None:
    found = {(method, path) for method, path, _ in routes()}

    assert found == set(USES)


@pytest.mark.slow
@pytest.mark.unmeasured  # test_completeness.py runs the same routes, measured, once
@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", [*Role, None])
async def test_every_pair_of_role_and_route(clinic: Clinic, role: Role | None) -> None:
    """And after everything that somebody may do alone, a mailbox of others is as shut as before."""
    await clinic.staffed()
    owner = await clinic.with_role("owner", Role.PHYSICIAN)
    number = await privileges.extension(clinic, owner)
    [mailbox] = await privileges.held(clinic, clinic.members["root"], number)
    message = await message_in(clinic, mailbox)
    who = await member_of(clinic, role)
    guarded = [route for route in routes() if route[2].privilege is not None]
    assert len(guarded) > 40

    before = b""
    for method, path, rule in guarded:
        assert rule.privilege is not None
        if is_allowed([role] if role else [], rule.privilege):
            await check_allowed(clinic, await clinic.present(who), (method, path, rule))
            before = b""
        else:
            present = await clinic.present(who)
            before = before or fingerprint(clinic)
            await check_denied(clinic, present, (method, path, rule), before)
    assert not await opens(clinic, await clinic.present(who), message)
    assert await opens(clinic, await clinic.present(owner), message), "the owner opens"


async def check_allowed(clinic: Clinic, who: Member, route: Route) -> None:
    method, path, rule = route
    count = await clinic.row_count()
    response = await USES[method, path](clinic, who)
    if path.split("/")[-1] in OPENINGS:
        assert response.status_code == 403, (who.login, route, response.text)
        found = (await rows_after(clinic, count))[-2:]
        assert found == [(rule.action, "intended"), (rule.action, "refused")], (who.login, route)
        return
    assert response.is_success, (who.login, route, response.status_code, response.text)
    waits = isinstance(response.json(), dict) and response.json().get("proposal")
    expected = Action.PROPOSAL_MADE if waits else rule.action
    assert (expected, "done") in await rows_after(clinic, count), (who.login, route)
    if method == "DELETE" or path.startswith("/v1/own/"):
        who.token = ""  # it may just have ended


async def check_denied(clinic: Clinic, who: Member, route: Route, before: bytes) -> None:
    method, path, rule = route
    count = await clinic.row_count()
    response = await clinic.ask(who, method, _filled(path))
    assert response.status_code == 403, (who.login, route, response.status_code, response.text)
    assert await rows_after(clinic, count) == [(rule.action, "refused")], (who.login, route)
    assert fingerprint(clinic) == before, (who.login, route)


def _filled(path: str) -> str:
    """A denied route is refused before anybody looks whether the object exists."""
    unknown = "00000000-0000-7000-8000-000000000000"
    return "/".join(unknown if part.startswith("{") else part for part in path.split("/"))
