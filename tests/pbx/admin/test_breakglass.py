"""Break-glass through the API: two people, one mailbox, half an hour; also without the ledger."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text

from pbx.access.roles import Role
from pbx.reconciling import Reconciler
from storage.details import Detail
from storage.keyholder import acts, slots
from storage.keyholder.client import Refused
from storage.keyholder.protocol import AdoptMessage, Evidence, MessageKey
from tests.support.clinic import Clinic, Member
from tests.support.keyholder import redeeming
from tests.support.privileges import approve_glass, break_glass, extension, held, suspend


async def box_of(clinic: Clinic, owner: Member) -> UUID:
    number = await extension(clinic, owner)
    return (await held(clinic, await clinic.present(clinic.members["root"]), number))[0]


async def message_in(clinic: Clinic, mailbox: UUID) -> UUID:
    return (await adopted(clinic, mailbox))[0]


async def adopted(clinic: Clinic, mailbox: UUID) -> tuple[UUID, bytes]:
    """Left there and adopted, as a worker and the exchange would; with its key slot."""
    message, keyholder = clinic.id(), clinic.plane.keyholder
    key = (await keyholder.public_keys("deposit", mailbox))[0]
    slot = slots.deposit_slot(key, message.bytes, b"m" * 32)
    evidence = Evidence(clinic.id(), bytes(32))
    request = AdoptMessage(message, mailbox, message.bytes, key.id, slot, evidence)
    return message, await keyholder.adopt_message(request)


async def opens(clinic: Clinic, who: Member, message: UUID, row: bytes = b"r" * 32) -> bool:
    handle = base64.urlsafe_b64decode(who.token + "=")
    try:
        await clinic.plane.keyholder.ticket(handle, message, Evidence(clinic.id(), row))
    except Refused:
        return False
    return True


@asynccontextmanager
async def without_ledger(clinic: Clinic) -> AsyncIterator[None]:
    refusing = (
        "CREATE TRIGGER refusing BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    async with clinic.plane.database.begin() as connection:
        await connection.execute(text(refusing))
    yield
    async with clinic.plane.database.begin() as connection:
        await connection.execute(text("DROP TRIGGER refusing"))
    assert await clinic.plane.committer.retry()


async def people(clinic: Clinic) -> tuple[Member, Member]:
    """A physician with a mailbox to be, and a nurse."""
    await clinic.staffed()
    return (
        await clinic.with_role("anna", Role.PHYSICIAN),
        await clinic.with_role("nurse", Role.CLINICAL_STAFF),
    )


async def test_two_people_open_one_mailbox_for_half_an_hour_and_it_closes_itself(
    clinic: Clinic,
) -> None:
    anna, nurse = await people(clinic)
    mailbox, other = await box_of(clinic, anna), await box_of(clinic, clinic.members["manager"])
    messages = [await message_in(clinic, box) for box in (mailbox, other)]
    manager = clinic.members["manager"]
    await clinic.present(nurse)
    assert not await opens(clinic, nurse, messages[0])
    named = await clinic.do(nurse, "GET", "/v1/break-glass/mailboxes/anna")
    assert named == {"mailbox": str(mailbox), "owner": "anna"}
    count = await clinic.row_count()

    waiting = await break_glass(clinic, nurse, mailbox)
    assert not await opens(clinic, nurse, messages[0]), "one person alone"
    by_requester = await approve_glass(clinic, nurse, waiting)
    assert by_requester.status_code == 403
    approved = await approve_glass(clinic, await clinic.present(manager), waiting)

    assert approved.is_success, approved.text
    assert [await opens(clinic, nurse, message) for message in messages] == [True, False]
    [shown] = await clinic.do(manager, "GET", "/v1/break-glass")
    assert (shown["state"], shown["owner"], shown["login"]) == ("open", "anna", "nurse")
    rows = {row.action: row for row in await clinic.rows(after=count) if row.outcome == "done"}
    assert {"break_glass.requested", "break_glass.opened", "review.opened"} <= set(rows)
    review = json.loads(rows["review.opened"].after)
    assert (review["kind"], review["requester"], review["approver"]) == (
        "break-glass", str(nurse.id), str(manager.id),
    )  # fmt: skip
    await check_reason(clinic, rows["break_glass.requested"])

    for _ in range(3):
        clinic.pass_(600)
        await clinic.present(nurse)
        await clinic.lifecycle.tick()
    assert not await opens(clinic, nurse, messages[0])
    await clinic.lifecycle.tick()
    ended = [row for row in await clinic.rows() if row.action == "break_glass.ended"]
    assert [(row.actor_kind, row.subject_id) for row in ended] == [("system", mailbox)]
    notices = (await clinic.sign_in(anna))["notices"]
    assert [notice["kind"] for notice in notices] == ["break-glass"]


async def check_reason(clinic: Clinic, row: object) -> None:
    """In the row's detail, for readers of records; nowhere in clear."""
    manager = clinic.members["manager"]
    detail, operation = Detail.decode(row.detail), row.operation  # type: ignore[attr-defined]
    assert b"cannot wait" not in row.detail  # type: ignore[attr-defined]
    handle = base64.urlsafe_b64decode(manager.token + "=")
    evidence = Evidence(clinic.id(), bytes(32))
    secret = await clinic.plane.keyholder.open_records_key(
        handle, detail.key, detail.sealed, evidence
    )
    assert detail.open(secret, operation) == "the result cannot wait"


async def test_it_is_ended_early_by_whoever_has_it(clinic: Clinic) -> None:
    anna, nurse = await people(clinic)
    mailbox = await box_of(clinic, anna)
    message = await message_in(clinic, mailbox)
    waiting = await break_glass(clinic, await clinic.present(nurse), mailbox)
    await approve_glass(clinic, await clinic.present(clinic.members["manager"]), waiting)
    await clinic.present(nurse)
    assert await opens(clinic, nurse, message)

    body = {
        "person": nurse.id,
        "proof": await clinic.proof(nurse, acts.EndBreakGlass(mailbox, nurse.id)),
    }
    await clinic.do(nurse, "POST", f"/v1/break-glass/{mailbox}/ending", body)

    assert not await opens(clinic, nurse, message)
    assert await clinic.do(nurse, "GET", "/v1/break-glass") == []


async def test_it_goes_on_without_the_ledger_and_is_copied_later(clinic: Clinic) -> None:
    anna, nurse = await people(clinic)
    mailbox, manager = await box_of(clinic, anna), clinic.members["manager"]
    message, slot = await adopted(clinic, mailbox)
    plane = clinic.plane
    look = Reconciler(plane.database, plane.committer, plane.keyholder, plane.clock)
    await look.once()
    async with without_ledger(clinic):
        for who in (nurse, manager):
            who.token = ""  # they were not even signed in
            await clinic.present(who)
        assert (await clinic.ask(manager, "GET", "/v1/people")).status_code == 401
        waiting = await break_glass(clinic, nurse, mailbox)
        assert waiting.is_success, waiting.text
        approved = await approve_glass(clinic, manager, waiting)
        assert approved.is_success, approved.text
        handle = base64.urlsafe_b64decode(nurse.token + "=")
        ticket = await plane.keyholder.ticket(handle, message, Evidence(clinic.id()))
        heard = await clinic.answer(redeeming(ticket.ticket, message.bytes, slot))
        assert heard == MessageKey(bytearray(b"m" * 32))
        assert not await opens(clinic, nurse, message=clinic.id(), row=b"")
        refused = await suspend(clinic, manager, nurse)
        assert refused.status_code in (401, 503)

    assert (await clinic.ask(nurse, "GET", "/v1/break-glass")).status_code == 401, "signs in again"
    comparison = await look.once()

    assert comparison.findings == []
    copied = [row for row in await clinic.rows() if row.action == "break_glass.copied"]
    assert [(row.subject_kind, row.subject_id) for row in copied] == [
        ("mailbox", mailbox),
        ("message", message),
    ]
    assert copied[0].actor_id == nurse.id
    assert (await look.once()).uncopied == []
    fresh = Reconciler(plane.database, plane.committer, plane.keyholder, plane.clock)
    assert (await fresh.once()).uncopied == [], "a new start finds it copied"


async def test_what_is_asked_for_is_shown_to_who_may_approve_it_alone(clinic: Clinic) -> None:
    anna, nurse = await people(clinic)
    mailbox = await box_of(clinic, anna)
    waiting = await break_glass(clinic, await clinic.present(nurse), mailbox)
    root = await clinic.present(clinic.members["root"])
    manager = await clinic.present(clinic.members["manager"])

    assert await clinic.do(root, "GET", "/v1/proposals") == []
    assert len(await clinic.do(manager, "GET", "/v1/proposals")) == 1
    assert await clinic.do(await clinic.present(anna), "GET", "/v1/break-glass") == []
    [own] = await clinic.do(await clinic.present(nurse), "GET", "/v1/break-glass")
    assert own["proposal"] == waiting.json()["proposal"]
    digest = base64.b64decode(waiting.json()["digest"])
    act = acts.Approve(UUID(own["proposal"]), digest)
    body = {"digest": digest, "proof": await clinic.proof(manager, act)}
    path = f"/v1/proposals/{own['proposal']}/approval"
    refused = await clinic.ask(await clinic.present(manager), "POST", path, body)
    assert "pbx breakglass approve" in refused.json()["error"]


async def test_a_mailbox_is_named_by_number_label_owner_or_identifier(clinic: Clinic) -> None:
    anna, nurse = await people(clinic)
    mailbox = await box_of(clinic, anna)
    root = await clinic.present(clinic.members["root"])
    [found] = [e for e in await clinic.do(root, "GET", "/v1/extensions") if e["tenure"]]
    await clinic.present(nurse)

    async def named(what: object) -> object:
        answer = await clinic.ask(nurse, "GET", f"/v1/break-glass/mailboxes/{what}")
        return answer.json().get("mailbox", answer.status_code)

    for what in ("Anna", found["number"], mailbox):
        assert await named(what) == str(mailbox)
    assert await named("nobody") == 404
    await box_of(clinic, anna)
    await clinic.present(nurse)
    assert await named("anna") == 403, "two are meant"
