"""Mailboxes and their members: two people for somebody else's, the owner alone for one's own."""

import base64
from typing import Any
from uuid import UUID

from pbx.access.roles import Role
from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.privileges import extension, join, owned, part, share, shared

OWN = "/v1/own/mailboxes"


async def members(clinic: Clinic, mailbox: UUID) -> set[UUID]:
    """As the key holder, who decides, has it."""
    [found] = [box for box in await clinic.plane.keyholder.mailboxes() if box.id == mailbox]
    return {member.person for member in found.members}


async def last_row(clinic: Clinic, action: str) -> Any:
    return [row for row in await clinic.rows() if row.action == action][-1]


async def test_membership_of_a_shared_mailbox_takes_two_people_and_names_both(
    clinic: Clinic,
) -> None:
    await clinic.staffed()
    desk = await clinic.with_role("desk", Role.FRONT_DESK)
    root = await clinic.present(clinic.members["root"])
    mailbox, label = await shared(clinic, "billing questions")

    waits = (await join(clinic, root, mailbox, desk.id)).json()
    assert waits["proposal"]
    assert await members(clinic, mailbox) == set()
    manager = await clinic.present(clinic.members["manager"])
    await clinic.approve(manager, waits)

    assert await members(clinic, mailbox) == {desk.id}
    row = await last_row(clinic, "member.added")
    assert (row.outcome, row.actor_id, row.subject_id) == ("done", manager.id, mailbox)
    assert str(desk.id) in row.after
    made = await last_row(clinic, "proposal.made")
    assert made.actor_id == root.id
    shown = await clinic.do(root, "GET", f"/v1/mailboxes/{label}")
    assert shown["label"] == label
    assert [member["person"] for member in shown["members"]] == [str(desk.id)]


async def test_neither_who_asked_nor_the_new_member_may_approve(clinic: Clinic) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    manager = await clinic.present(clinic.members["manager"])
    mailbox, _ = await shared(clinic)
    waits = (await join(clinic, root, mailbox, manager.id)).json()

    for who in (root, manager):
        await clinic.present(who)
        digest = base64.b64decode(waits["digest"])
        proof = await clinic.proof(who, acts.Approve(UUID(waits["proposal"]), digest))
        path = f"/v1/proposals/{waits['proposal']}/approval"
        answer = await clinic.ask(who, "POST", path, {"digest": digest, "proof": proof})
        assert answer.status_code == 403

    assert await members(clinic, mailbox) == set()


async def test_a_member_is_removed_by_one_person_at_once(clinic: Clinic) -> None:
    await clinic.staffed()
    desk = await clinic.with_role("desk", Role.FRONT_DESK)
    root = await clinic.present(clinic.members["root"])
    mailbox, _ = await shared(clinic)
    waits = (await join(clinic, root, mailbox, desk.id)).json()
    manager = await clinic.present(clinic.members["manager"])
    await clinic.approve(manager, waits)

    assert (await part(clinic, manager, mailbox, desk.id)).is_success

    assert await members(clinic, mailbox) == set()
    assert (await part(clinic, manager, mailbox, desk.id)).status_code == 404


async def test_the_owner_alone_decides_about_their_own_mailbox(clinic: Clinic) -> None:
    await clinic.staffed()
    doctor = await clinic.with_role("doctor", Role.PHYSICIAN)
    nurse = await clinic.with_role("nurse", Role.CLINICAL_STAFF)
    mailbox = await owned(clinic, doctor)

    assert (await join(clinic, doctor, mailbox, nurse.id, OWN)).json()["proposal"] is None
    assert await members(clinic, mailbox) == {nurse.id}
    [listed] = await clinic.do(doctor, "GET", OWN)
    assert listed["id"] == str(mailbox)
    assert (await part(clinic, doctor, mailbox, nurse.id, OWN)).is_success
    assert await members(clinic, mailbox) == set()


async def test_nobody_adds_themselves_to_a_mailbox_as_if_it_were_theirs(clinic: Clinic) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    doctor = await clinic.hire("doctor", root)
    mailbox = await _mailbox_of(clinic, doctor)

    for unknown in (mailbox, clinic.id()):
        answer = await join(clinic, await clinic.present(root), unknown, root.id, OWN)
        assert answer.status_code == 403
        assert "not a mailbox of yours" in answer.text

    assert await members(clinic, mailbox) == set()
    assert (await last_row(clinic, "member.added")).outcome == "refused"


async def test_a_label_is_used_once_and_the_second_makes_no_mailbox(clinic: Clinic) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    mailbox, label = await shared(clinic)
    before = len(await clinic.plane.keyholder.mailboxes())

    assert (await share(clinic, root, clinic.id(), label)).status_code == 409
    assert (await share(clinic, root, mailbox, "another label")).status_code == 409

    assert len(await clinic.plane.keyholder.mailboxes()) == before
    assert (await clinic.ask(root, "GET", "/v1/mailboxes/unknown")).status_code == 404
    assert (await join(clinic, root, mailbox, clinic.id())).status_code == 404


async def test_a_membership_can_end_by_itself_but_not_in_the_past(clinic: Clinic) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    mailbox, _ = await shared(clinic)
    start = clinic.now
    act = acts.AddMember(mailbox, root.id, start, start - 1)
    body = {"person": root.id, "start": start, "until": start - 1}
    body["proof"] = await clinic.proof(root, act)

    answer = await clinic.ask(root, "POST", f"/v1/mailboxes/{mailbox}/members", body)

    assert answer.status_code in (400, 403, 409, 422)
    assert "future" in answer.text


async def test_a_shared_mailbox_outlives_a_restart_and_one_nobody_knows_is_an_alarm(
    clinic: Clinic,
) -> None:
    await clinic.staffed()
    root = await clinic.present(clinic.members["root"])
    mailbox, _ = await shared(clinic)
    act = acts.OpenTenure(clinic.id(), clinic.id(), None)
    body = {"id": act.mailbox, "tenure": act.tenure, "label": "stray"}
    await clinic.do(root, "POST", "/v1/mailboxes", body | {"proof": await clinic.proof(root, act)})
    async with clinic.plane.database.begin() as connection:
        await connection.exec_driver_sql(
            "DELETE FROM shared_mailbox WHERE id = ?", (act.mailbox.bytes,)
        )
    clinic.plane.is_behind = True
    clinic.pass_(61)

    await clinic.lifecycle.tick()

    [alarm] = clinic.plane.alarms()
    assert str(act.mailbox) in alarm
    assert str(mailbox) not in alarm


async def _mailbox_of(clinic: Clinic, who: Member) -> UUID:
    number = await extension(clinic, who)
    root = await clinic.present(clinic.members["root"])
    found = await clinic.do(root, "GET", f"/v1/extensions/{number}")
    return UUID(found["tenure"]["mailbox"])
