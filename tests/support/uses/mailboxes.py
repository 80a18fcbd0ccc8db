"""Mailboxes and their members."""

from uuid import UUID

import httpx

from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.uses.extensions import extension
from tests.support.uses.people import newcomer
from tests.support.uses.registry import serial, use


async def shared(clinic: Clinic, label: str = "") -> tuple[UUID, str]:
    """A shared mailbox without members."""
    root = await clinic.present(clinic.members["root"])
    mailbox, label = clinic.id(), label or f"shared {next(serial)}"
    response = await share(clinic, root, mailbox, label)
    assert response.is_success, response.text
    return mailbox, label


async def share(clinic: Clinic, who: Member, mailbox: UUID, label: str) -> httpx.Response:
    tenure = clinic.id()
    proof = await clinic.proof(who, acts.OpenTenure(mailbox, tenure, None))
    body = {"id": mailbox, "tenure": tenure, "label": label, "proof": proof}
    return await clinic.ask(who, "POST", "/v1/mailboxes", body)


async def join(
    clinic: Clinic, who: Member, mailbox: UUID, person: UUID, path: str = "/v1/mailboxes"
) -> httpx.Response:
    start = clinic.now
    proof = await clinic.proof(who, acts.AddMember(mailbox, person, start))
    body = {"person": person, "start": start, "proof": proof}
    return await clinic.ask(who, "POST", f"{path}/{mailbox}/members", body)


async def part(
    clinic: Clinic, who: Member, mailbox: UUID, person: UUID, path: str = "/v1/mailboxes"
) -> httpx.Response:
    proof = await clinic.proof(who, acts.RemoveMember(mailbox, person))
    body = {"person": person, "proof": proof}
    return await clinic.ask(who, "POST", f"{path}/{mailbox}/members/removal", body)


async def owned(clinic: Clinic, who: Member) -> UUID:
    """A mailbox of their own."""
    number = await extension(clinic, who)
    root = await clinic.present(clinic.members["root"])
    found = await clinic.do(root, "GET", f"/v1/extensions/{number}")
    await clinic.present(who)
    return UUID(found["tenure"]["mailbox"])


@use("GET", "/v1/mailboxes/{mailbox:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    _, label = await shared(clinic)
    return await clinic.ask(who, "GET", f"/v1/mailboxes/{label}")


@use("POST", "/v1/mailboxes")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await share(clinic, who, clinic.id(), f"shared {next(serial)}")


@use("POST", "/v1/mailboxes/{mailbox:str}/closing")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox, label = await shared(clinic)
    await clinic.present(who)
    body = {"proof": await clinic.proof(who, acts.CloseTenure(mailbox))}
    return await clinic.ask(who, "POST", f"/v1/mailboxes/{label}/closing", body)


@use("POST", "/v1/mailboxes/{mailbox:str}/members")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox, _ = await shared(clinic)
    person = await newcomer(clinic)
    return await join(clinic, await clinic.present(who), mailbox, person.id)


@use("POST", "/v1/mailboxes/{mailbox:str}/members/removal")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox, _ = await shared(clinic)
    person = await newcomer(clinic)
    root, manager = clinic.members["root"], clinic.members["manager"]
    waits = await join(clinic, await clinic.present(root), mailbox, person.id)
    await clinic.approve(await clinic.present(manager), waits.json())
    return await part(clinic, await clinic.present(who), mailbox, person.id)


@use("POST", "/v1/own/mailboxes/{mailbox:uuid}/members")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox, person = await owned(clinic, who), await newcomer(clinic)
    return await join(clinic, await clinic.present(who), mailbox, person.id, "/v1/own/mailboxes")


@use("POST", "/v1/own/mailboxes/{mailbox:uuid}/members/removal")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox, person = await owned(clinic, who), await newcomer(clinic)
    path = "/v1/own/mailboxes"
    joined = await join(clinic, await clinic.present(who), mailbox, person.id, path)
    assert joined.is_success, joined.text
    return await part(clinic, who, mailbox, person.id, path)


@use("POST", "/v1/mailboxes/{mailbox:str}/name")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    _, label = await shared(clinic)
    body = {"version": 1, "name": f"{label} renamed"}
    return await clinic.ask(who, "POST", f"/v1/mailboxes/{label}/name", body)
