"""Whoever reaches the socket can be refused as often as they like: the ledger hardly grows."""

import json
from typing import Any

from storage.keyholder import acts
from tests.support.clinic import Clinic

MANY = 150


async def rows(clinic: Clinic, count: int) -> list[Any]:
    return await clinic.rows(after=count)


def counted(found: list[Any]) -> int:
    """What the rows of refusals stand for."""
    after = [json.loads(row.after) if row.after else {} for row in found]
    refused = [row.outcome in ("refused", "failed") for row in found]
    return sum(one.get("count", 1) for one, is_one in zip(after, refused, strict=True) if is_one)


async def test_a_flood_of_wrong_sign_ins_is_a_few_rows_and_a_number(clinic: Clinic) -> None:
    await clinic.found()
    before = await clinic.row_count()

    for number in range(MANY):
        sealed, _ = await clinic.prove(
            None, acts.LogIn(f"guess{number}"), password="wrong wrong wrong", totp="000000"
        )
        body = {"login": f"guess{number}", "proof": sealed}
        assert (await clinic.ask(None, "POST", "/v1/session", body)).status_code == 403
    clinic.pass_(61)
    await clinic.lifecycle.tick()

    found = await rows(clinic, before)
    assert len(found) <= 2 * 10 + 1
    assert counted(found) == MANY
    assert json.loads(found[-1].after)["count"] == MANY - 10


async def test_a_flood_of_invented_sessions_is_a_few_rows_and_a_number(clinic: Clinic) -> None:
    await clinic.found()
    before = await clinic.row_count()

    for _ in range(MANY):
        assert (await clinic.ask("A" * 43, "GET", "/v1/people")).status_code == 401
    await clinic.plane.report_floods(all_=True)

    found = await rows(clinic, before)
    assert len(found) == 11
    assert counted(found) == MANY


async def test_in_a_flood_the_right_person_still_signs_in_with_a_row(clinic: Clinic) -> None:
    root = await clinic.found()
    for _ in range(30):
        body = {"login": "root", "proof": b"no proof at all"}
        assert not (await clinic.ask(None, "POST", "/v1/session", body)).is_success
    before = await clinic.row_count()

    await clinic.sign_in(root)

    found = [(row.action, row.outcome) for row in await rows(clinic, before)]
    assert ("session.opened", "done") in found
    assert ("session.opened", "intended") not in found
    await clinic.do(root, "GET", "/v1/people")


async def test_what_a_person_is_refused_is_a_row_each_time(clinic: Clinic) -> None:
    await clinic.staffed()
    nobody = await clinic.with_role("nobody")
    before = await clinic.row_count()

    for _ in range(30):
        assert (await clinic.ask(nobody, "GET", "/v1/people")).status_code == 403

    assert len([row for row in await rows(clinic, before) if row.outcome == "refused"]) == 30
