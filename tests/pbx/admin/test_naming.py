"""What people type means one row, none, or a plain answer; two who are as fast lose nothing."""

import asyncio
from collections import Counter

import pytest

from pbx.access.roles import Role
from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.privileges import extension, phone

UNKNOWN = "00000000-0000-7000-8000-000000000000"


async def test_a_row_is_found_by_its_name_and_by_its_identifier(clinic: Clinic) -> None:
    await clinic.staffed()
    root = clinic.members["root"]
    number, label = await extension(clinic), await phone(clinic)
    await clinic.present(root)

    for path in ("/v1/people/manager", f"/v1/extensions/{number}", f"/v1/devices/{label}"):
        by_name = await clinic.do(root, "GET", path)
        noun = path.rsplit("/", 1)[0]
        assert await clinic.do(root, "GET", f"{noun}/{by_name['id']}") == by_name
        kind = {"people": "person", "extensions": "extension", "devices": "device"}
        changes = f"/v1/history/{kind[noun.removeprefix('/v1/')]}/{by_name['id']}"
        assert await clinic.do(root, "GET", changes)


@pytest.mark.parametrize("name", [UNKNOWN, "9" * 15, "x" * 36])
async def test_what_is_not_there_is_answered_404(clinic: Clinic, name: str) -> None:
    root = await clinic.found()

    for path in ("people", "extensions", "devices", "mailboxes"):
        answer = await clinic.ask(root, "GET", f"/v1/{path}/{name}")
        assert answer.status_code in (400, 404), path
    for path in ("history/weather/root", "history/exception/root"):
        assert (await clinic.ask(root, "GET", f"/v1/{path}")).status_code == 404, path
    assert await clinic.do(root, "GET", f"/v1/history/exception/{UNKNOWN}") == []


async def test_two_administrators_as_fast_as_each_other_leave_one_mailbox(clinic: Clinic) -> None:
    await clinic.staffed()
    other = await clinic.with_role("other", Role.SYSTEM_ADMINISTRATOR)
    root = await clinic.present(clinic.members["root"])

    answers = await asyncio.gather(*[made(clinic, who) for who in (root, other)])

    assert Counter(answers) == {201: 1, 409: 1}
    boxes = await clinic.plane.keyholder.mailboxes()
    assert len([box for box in boxes if box.owner is None and box.closed is None]) == 1


async def made(clinic: Clinic, who: Member) -> int:
    mailbox, tenure = clinic.id(), clinic.id()
    proof = await clinic.proof(who, acts.OpenTenure(mailbox, tenure, None))
    body = {"id": mailbox, "tenure": tenure, "label": "the same", "proof": proof}
    return (await clinic.ask(who, "POST", "/v1/mailboxes", body)).status_code
