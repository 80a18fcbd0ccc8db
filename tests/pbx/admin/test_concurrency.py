"""Two people edit the same thing at once: one wins, the other is told, nothing is lost."""

import asyncio

from tests.support import privileges
from tests.support.clinic import Clinic


async def test_of_many_simultaneous_edits_exactly_one_wins(clinic: Clinic) -> None:
    root = await clinic.found()
    await clinic.hire("anna", root)
    await clinic.present(root)

    responses = await asyncio.gather(
        *(
            clinic.ask(
                root, "POST", "/v1/people/anna/name", {"version": 1, "name": f"Name {number}"}
            )
            for number in range(10)
        )
    )

    statuses = sorted(response.status_code for response in responses)
    assert statuses == [200] + [409] * 9
    assert "changed meanwhile" in next(r for r in responses if r.status_code == 409).text
    person = await clinic.do(root, "GET", "/v1/people/anna")
    assert person["version"] == 2
    changed = [row.outcome for row in await clinic.rows() if row.action == "person.changed"]
    assert sorted(changed) == ["done"] + ["refused"] * 9


async def test_two_assignments_of_one_number_leave_one_holder_and_one_open_mailbox(
    clinic: Clinic,
) -> None:
    root = await clinic.found()
    anna, ben = await clinic.hire("anna", root), await clinic.hire("ben", root)

    first = await privileges.assign(clinic, root, "1042", anna, 0)
    stale = await privileges.assign(clinic, root, "1042", ben, 0)

    assert first.is_success
    assert stale.status_code == 409
    boxes = await clinic.plane.keyholder.mailboxes()
    assert [box.owner for box in boxes if box.closed is None] == [anna.id]


async def test_a_stale_version_is_refused_everywhere_before_anything_changes(
    clinic: Clinic,
) -> None:
    root = await clinic.found()
    await clinic.hire("anna", root)
    label = await privileges.phone(clinic)
    number = await privileges.extension(clinic)
    await clinic.present(root)

    for path, body in (
        ("/v1/people/anna/name", {"version": 9, "name": "Other"}),
        ("/v1/people/anna/end", {"version": 9, "until": clinic.now + 10**9, "proof": b""}),
        (f"/v1/devices/{label}/place", {"version": 9, "place": "private"}),
        (f"/v1/devices/{label}/assignment", {"version": 9, "extension": None}),
        (f"/v1/extensions/{number}/release", {"version": 9, "proof": b""}),
        (f"/v1/extensions/{number}/undoing", {"version": 9, "proof": b""}),
    ):
        response = await clinic.ask(root, "POST", path, body)
        assert response.status_code == 409, (path, response.text)
