"""Break-glass: two people, one mailbox, half an hour."""

from uuid import UUID

import httpx

from pbx.access.roles import Role
from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.uses.extensions import extension, held
from tests.support.uses.registry import serial, use


async def patient_box(clinic: Clinic) -> UUID:
    """A mailbox of somebody who has nothing to do with it."""
    number = await extension(clinic)
    root = await clinic.present(clinic.members["root"])
    return (await held(clinic, root, number))[0]


async def break_glass(clinic: Clinic, who: Member, mailbox: UUID) -> httpx.Response:
    reason = "the result cannot wait"
    proof = await clinic.proof(who, acts.BreakGlass(mailbox, reason))
    body = {"mailbox": mailbox, "reason": reason, "proof": proof}
    return await clinic.ask(who, "POST", "/v1/break-glass", body)


async def approve_glass(clinic: Clinic, who: Member, waiting: httpx.Response) -> httpx.Response:
    import base64

    found = waiting.json()
    digest = base64.b64decode(found["digest"])
    proof = await clinic.proof(who, acts.Approve(UUID(found["proposal"]), digest))
    body = {"digest": digest, "proof": proof}
    return await clinic.ask(who, "POST", f"/v1/break-glass/{found['proposal']}/approval", body)


async def nurse(clinic: Clinic) -> Member:
    """Somebody who may ask for break-glass."""
    await clinic.present(clinic.members["manager"])
    await clinic.present(clinic.members["root"])
    return await clinic.with_role(f"nurse{next(serial)}", Role.CLINICAL_STAFF)


@use("POST", "/v1/break-glass")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox = await patient_box(clinic)
    return await break_glass(clinic, await clinic.present(who), mailbox)


@use("GET", "/v1/break-glass/mailboxes/{what:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox = await patient_box(clinic)
    await clinic.present(who)
    return await clinic.ask(who, "GET", f"/v1/break-glass/mailboxes/{mailbox}")


@use("GET", "/v1/break-glass/{proposal:uuid}/approval")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    asker, mailbox = await nurse(clinic), await patient_box(clinic)
    waiting = await break_glass(clinic, await clinic.present(asker), mailbox)
    proposal = waiting.json()["proposal"]
    await clinic.present(who)
    return await clinic.ask(who, "GET", f"/v1/break-glass/{proposal}/approval")


@use("POST", "/v1/break-glass/{proposal:uuid}/approval")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    asker, mailbox = await nurse(clinic), await patient_box(clinic)
    waiting = await break_glass(clinic, await clinic.present(asker), mailbox)
    return await approve_glass(clinic, await clinic.present(who), waiting)


@use("POST", "/v1/break-glass/{mailbox:uuid}/ending")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    asker = who if who.login != "manager" and who.login != "root" else await nurse(clinic)
    mailbox = await patient_box(clinic)
    waiting = await break_glass(clinic, await clinic.present(asker), mailbox)
    if not waiting.is_success:  # who may approve may not ask
        asker = await nurse(clinic)
        waiting = await break_glass(clinic, asker, mailbox)
    approved = await approve_glass(clinic, await clinic.present(clinic.members["manager"]), waiting)
    assert approved.is_success, approved.text
    await clinic.present(who)
    proof = await clinic.proof(who, acts.EndBreakGlass(mailbox, asker.id))
    body = {"person": asker.id, "proof": proof}
    return await clinic.ask(who, "POST", f"/v1/break-glass/{mailbox}/ending", body)
