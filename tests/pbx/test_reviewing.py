"""Everything the review is for, planted in a real ledger: each found once, and once only."""

import base64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from pbx.access.roles import Role
from pbx.reviewing import DAY, Reviewer
from storage import messages
from storage.audit import reviews
from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Actor, ActorKind, Subject
from storage.ledger.unit import Unit
from tests.support import privileges
from tests.support.clinic import Clinic, Member

HOUR = 3_600
NIGHT = 23


@pytest.fixture
async def officer(clinic: Clinic) -> Member:
    await clinic.staffed()
    return await clinic.with_role("officer", Role.COMPLIANCE_OFFICER)


async def plant(clinic: Clinic, action: Action, who: UUID, **more: Any) -> UUID:
    """One row, as something that happened now."""
    deed = clinic.plane.deed(Actor(ActorKind.PERSON, who))

    async def work(unit: Unit) -> None:
        unit.record(deed.entry(action, **more))

    await clinic.plane.committer.run(work)
    return deed.operation


def at_hour(clinic: Clinic, hour: int) -> None:
    """Time goes on to this hour of the machine's own day."""
    local = datetime.fromtimestamp(clinic.now / 1_000_000, UTC).astimezone()
    clinic.pass_((hour - local.hour) % 24 * HOUR)


async def kinds(clinic: Clinic) -> list[str]:
    async with clinic.plane.database.read() as connection:
        return sorted(one.kind for one in await reviews.items(connection))


async def test_each_anomaly_is_one_item_over_looks_and_restarts(
    clinic: Clinic, officer: Member
) -> None:
    at_hour(clinic, 12)
    reviewer = Reviewer(clinic.plane)
    await reviewer.once()
    before = await kinds(clinic)
    anna = clinic.id()
    at_hour(clinic, NIGHT)
    await plant(clinic, Action.CALL_PARTIES_READ, anna, subject=Subject("call", clinic.id()))
    assert await reviewer.once() == 1
    at_hour(clinic, 12)
    for _ in range(6):
        note = await privileges.message(clinic, await privileges.newcomer(clinic))
        await plant(clinic, Action.MESSAGE_HEARD, anna, subject=messages.subject(note))
    for _ in range(10):
        refused = {"outcome": Outcome.REFUSED, "subject": Subject("device", anna)}
        await plant(clinic, Action.CREDENTIAL_FAILED, anna, **refused)
    for phone in (UUID(int=1), UUID(int=2), UUID(int=1)):
        clinic.pass_(1)
        await plant(clinic, Action.SESSION_OPENED, anna, after={"device": str(phone)})
    await plant(clinic, Action.DEVICE_PLACED, anna, subject=Subject("device", clinic.id()))
    outside = {"forwards": [{"when": "always", "extension": "+12025550147"}]}
    await plant(clinic, Action.REACH_CHANGED, anna, after=outside)
    await plant(clinic, Action.AUDIT_NUMBER_SEARCHED, anna)
    moved = {"subject": Subject("device", clinic.id()), "after": {"address": True}}
    await plant(clinic, Action.REGISTRATION_MOVED, anna, **moved)
    await reviewer.once()

    found = await kinds(clinic)
    for again in (reviewer, Reviewer(clinic.plane)):
        assert await again.once() == 0
    clinic.pass_(86_400)
    await reviewer.once()

    chosen = {"sample"}  # by the day of the week on which this runs
    for kind in set(found) - chosen - {"without-ticket"}:
        assert found.count(kind) - before.count(kind) == 1, kind
    assert set(found) - chosen == {
        "off-hours", "many-mailboxes", "failed-burst", "new-place", "without-ticket",
        "forwarded-outside", "number-search", "moved-phone",
    }  # fmt: skip
    async with clinic.plane.database.read() as connection:
        mine = [one for one in await reviews.items(connection) if anna in one.people]
    mine = [one for one in mine if one.kind not in chosen]
    assert len(mine) == 7
    assert all(one.rows for one in mine)


async def test_samples_are_what_nobody_could_choose(clinic: Clinic, officer: Member) -> None:
    at_hour(clinic, 12)
    for _ in range(9):
        clinic.pass_(60)
        await plant(clinic, Action.CALL_PARTIES_READ, officer.id)
    clinic.pass_(8 * 86_400)
    await Reviewer(clinic.plane).once()

    assert (await kinds(clinic)).count("sample") == 5
    assert await Reviewer(clinic.plane).once() == 0


async def test_a_ticket_named_with_a_change_is_a_sealed_row(
    clinic: Clinic, officer: Member
) -> None:
    reviewer = Reviewer(clinic.plane)
    await reviewer.once()
    at_hour(clinic, 12)
    clinic.pass_(24 * HOUR)
    before = (await kinds(clinic)).count("without-ticket")
    root = await clinic.present(clinic.members["root"])
    ticket = base64.b64encode(b"INC-17: Mrs Smith's phone").decode()
    body = b'{"id":"%s","label":"exam 9"}' % str(clinic.id()).encode()
    headers = {"Authorization": f"Bearer {root.token}", "Content-Type": "application/json"}
    count = await clinic.row_count()

    response = await clinic.http.post(
        "/v1/devices", content=body, headers=headers | {"pbx-ticket": ticket}
    )

    assert response.is_success
    rows = await clinic.rows(after=count)
    named = [row for row in rows if row.action == Action.TICKET_NAMED]
    assert [row.operation for row in named] == [rows[0].operation]
    assert named[0].detail is not None
    assert b"Smith" not in named[0].detail
    await reviewer.once()
    assert (await kinds(clinic)).count("without-ticket") == before
    other = body.replace(b"exam 9", b"exam 8").replace(body[7:15], b"00000000")
    assert (await clinic.http.post("/v1/devices", content=other, headers=headers)).is_success
    await reviewer.once()
    assert (await kinds(clinic)).count("without-ticket") == before + 1


async def test_items_are_signed_off_by_somebody_they_are_not_about(
    clinic: Clinic, officer: Member
) -> None:
    manager = clinic.members["manager"]
    reviewer = Reviewer(clinic.plane)
    await plant(clinic, Action.AUDIT_NUMBER_SEARCHED, officer.id)
    await reviewer.once()
    await clinic.present(officer)
    listed = await clinic.do(officer, "GET", "/v1/audit/reviews")
    (item,) = [one for one in listed if one["kind"] == "number-search"]
    assert item["logins"] == ["officer"]
    path = f"/v1/audit/reviews/{item['id']}"
    shown = await clinic.do(officer, "GET", path)
    assert [row["action"] for row in shown["rows"]] == ["audit.number_searched"]

    own = await clinic.ask(officer, "POST", f"{path}/sign-off", {"note": "it was me"})
    assert own.status_code == 409
    assert "about you" in own.json()["error"]
    await clinic.present(manager)
    await clinic.do(manager, "POST", f"{path}/sign-off", {"note": "complaint 17"})
    again = await clinic.ask(manager, "POST", f"{path}/sign-off", {"note": "twice"})

    assert again.status_code == 409
    await clinic.present(officer)
    (noted,) = [row for row in await clinic.rows() if row.action == Action.REVIEW_SIGNED_OFF
                and row.outcome == "done"]  # fmt: skip
    assert b"complaint" not in noted.detail
    words = f"/v1/audit/rows/{noted.writer}:{noted.sequence}/words"
    assert await clinic.do(officer, "GET", words) == {"words": "complaint 17"}
    assert (await clinic.rows())[-1].action == Action.AUDIT_WORDS_READ
    nothing = words.replace(f":{noted.sequence}/", ":1/")
    assert (await clinic.ask(officer, "GET", nothing)).status_code == 404
    everything = await clinic.do(officer, "GET", "/v1/audit/reviews", all_items="true")
    (signed,) = [one for one in everything if one["id"] == item["id"]]
    assert (signed["signed_by_login"], signed["is_overdue"]) == ("manager", False)
    assert signed["signed_at"] is not None
    assert item["id"] not in str(await clinic.do(officer, "GET", "/v1/audit/reviews"))


async def test_break_glass_is_an_item_that_neither_of_the_two_signs_off(
    clinic: Clinic, officer: Member
) -> None:
    box = await privileges.patient_box(clinic)
    nurse = await privileges.nurse(clinic)
    waiting = await privileges.break_glass(clinic, await clinic.present(nurse), box)
    await clinic.present(officer)
    assert (await privileges.approve_glass(clinic, officer, waiting)).is_success

    await clinic.present(officer)
    (item,) = [
        one
        for one in await clinic.do(officer, "GET", "/v1/audit/reviews")
        if one["kind"] == "break-glass"
    ]
    assert set(item["logins"]) == {nurse.login, "officer"}
    path = f"/v1/audit/reviews/{item['id']}/sign-off"
    assert (await clinic.ask(officer, "POST", path, {"note": "fine"})).status_code == 409
    manager = await clinic.present(clinic.members["manager"])
    assert (await clinic.ask(manager, "POST", path, {"note": "seen"})).is_success


async def test_what_is_overdue_is_an_alarm_until_it_is_signed_off(
    clinic: Clinic, officer: Member
) -> None:
    reviewer = Reviewer(clinic.plane)
    item = await privileges.review_item(clinic)
    await reviewer.count()
    assert reviewer.alarms() == []
    assert reviewer.section() == {"open": 1, "overdue": 0}
    clinic.pass_(8 * DAY / 1_000_000)
    await reviewer.count()
    (alarm,) = reviewer.alarms()
    assert alarm == "Review items are overdue: 1; see: pbx audit review list"

    await clinic.present(officer)
    await clinic.do(officer, "POST", f"/v1/audit/reviews/{item}/sign-off", {"note": "seen"})
    await reviewer.count()

    assert reviewer.alarms() == []
