"""Numbers: assigned, released, undone, proved."""

from uuid import UUID

import httpx

from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.uses.people import newcomer
from tests.support.uses.registry import serial, use


async def extension(clinic: Clinic, holder: Member | None = None) -> str:
    """A number with a holder."""
    root = clinic.members["root"]
    holder = holder or await newcomer(clinic)
    await clinic.present(root)
    number = f"2{next(serial):04}"
    answer = await assign(clinic, root, number, holder, 0)
    assert answer.is_success, answer.text
    return number


async def assign(
    clinic: Clinic, who: Member, number: str, holder: Member, version: int, until: int | None = None
) -> httpx.Response:
    tenure, mailbox = clinic.id(), clinic.id()
    closes = await held(clinic, who, number) if until is None else ()
    act = acts.OpenTenure(mailbox, tenure, holder.id, until, closes)
    body = {
        "person": holder.id,
        "tenure": tenure,
        "mailbox": mailbox,
        "version": version,
        "until": until,
        "proof": await clinic.proof(who, act),
    }
    return await clinic.ask(who, "POST", f"/v1/extensions/{number}/assignment", body)


async def held(clinic: Clinic, who: Member, number: str) -> tuple[UUID, ...]:
    """The mailboxes that close with whoever has the number now."""
    found = await clinic.ask(who, "GET", f"/v1/extensions/{number}")
    tenure = found.json().get("tenure") if found.is_success else None
    return tuple(UUID(mailbox) for mailbox in tenure["closes"]) if tenure else ()


async def release(clinic: Clinic, who: Member, number: str, version: int) -> httpx.Response:
    mailbox, *more = await held(clinic, who, number)
    proof = await clinic.proof(who, acts.CloseTenure(mailbox, tuple(more)))
    body = {"version": version, "proof": proof}
    return await clinic.ask(who, "POST", f"/v1/extensions/{number}/release", body)


async def undo(clinic: Clinic, who: Member, number: str) -> httpx.Response:
    found = await clinic.do(who, "GET", f"/v1/extensions/{number}/undoing")
    closes = tuple(UUID(mailbox) for mailbox in found["closes"])
    act: acts.ReopenTenure | acts.CloseTenure
    if found["mailbox"] is None:
        act = acts.CloseTenure(closes[0], closes[1:])
    else:
        act = acts.ReopenTenure(UUID(found["mailbox"]), found["until"], closes)
    body = {"version": found["version"], "mailbox": found["mailbox"]}
    body["proof"] = await clinic.proof(who, act)
    return await clinic.ask(who, "POST", f"/v1/extensions/{number}/undoing", body)


@use("GET", "/v1/extensions/{number:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number = await extension(clinic)
    return await clinic.ask(who, "GET", f"/v1/extensions/{number}")


@use("GET", "/v1/extensions/{number:str}/undoing")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number = await extension(clinic)
    return await clinic.ask(who, "GET", f"/v1/extensions/{number}/undoing")


@use("POST", "/v1/extensions/{number:str}/assignment")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    holder = await newcomer(clinic)
    return await assign(clinic, who, f"3{next(serial):04}", holder, 0)


@use("POST", "/v1/extensions/{number:str}/release")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await release(clinic, who, await extension(clinic), 2)


@use("POST", "/v1/extensions/{number:str}/undoing")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await undo(clinic, who, await extension(clinic))


@use("POST", "/v1/extensions/{number:str}/isolation")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number = await extension(clinic)
    return await clinic.ask(who, "POST", f"/v1/extensions/{number}/isolation")
