"""Questions to the ledger, exports and reviews."""

from uuid import UUID

import httpx

from pbx.admin import exports
from storage.audit import reviews
from storage.audit.anomalies import Finding, Kind
from tests.support.clinic import Clinic, Member
from tests.support.uses.messages import own_message
from tests.support.uses.registry import reading, serial, use


@use("POST", "/v1/audit/search")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"person": "root", "action": ["session"], "since": 0}
    return await clinic.ask(who, "POST", "/v1/audit/search", body)


@use("POST", "/v1/audit/follow")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "POST", "/v1/audit/follow", {"person": "root"})


@use("POST", "/v1/audit/number-search")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"number": "+1 202 555 0147", "reason": "a complaint of a patient"}
    return await clinic.ask(who, "POST", "/v1/audit/number-search", body)


@use("POST", "/v1/audit/people/{who:str}/deeds")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "POST", "/v1/audit/people/root/deeds", {})


@use("GET", "/v1/audit/messages/{message:uuid}/openings")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    found = await own_message(clinic, who)
    return await clinic.ask(who, "GET", f"/v1/audit/messages/{found}/openings")


@use("GET", "/v1/audit/messages/{message:uuid}/access")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    found = await own_message(clinic, who)
    return await clinic.ask(who, "GET", f"/v1/audit/messages/{found}/access")


@use("POST", "/v1/audit/scope")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "POST", "/v1/audit/scope", {"person": "root", "since": 0})


async def ledger_export(clinic: Clinic, who: Member, since: int = 0) -> httpx.Response:
    proof = await clinic.proof(who, exports.step_up(since))
    return await clinic.ask(who, "POST", "/v1/audit/exports", {"since": since, "proof": proof})


@use("POST", "/v1/audit/exports")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await ledger_export(clinic, who)


@use("GET", "/v1/audit/exports/{export:uuid}/lines")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    begun = await ledger_export(clinic, who)
    if not begun.is_success:
        return begun
    return await clinic.ask(who, "GET", f"/v1/audit/exports/{begun.json()['operation']}/lines")


async def review_item(clinic: Clinic) -> UUID:
    """Something to look at that is about nobody here."""
    at = clinic.now
    found = Finding(
        kind=Kind.SAMPLE,
        key=str(next(serial)),
        people=(),
        at=at,
        begins=at,
        rows=("1:1:exchange",),
    )
    await clinic.plane.run(reviews.open_items, clinic.plane.deed(), [found])
    return found.item


reading("GET", "/v1/audit/reviews")


@use("GET", "/v1/audit/reviews/{item:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/audit/reviews/{await review_item(clinic)}")


@use("POST", "/v1/audit/reviews/{item:uuid}/sign-off")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    path = f"/v1/audit/reviews/{await review_item(clinic)}/sign-off"
    return await clinic.ask(who, "POST", path, {"note": "on call that night"})


@use("GET", "/v1/audit/rows/{place:str}/words")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    item = await review_item(clinic)
    manager = await clinic.present(clinic.members["manager"])
    path = f"/v1/audit/reviews/{item}/sign-off"
    await clinic.do(manager, "POST", path, {"note": "on call that night"})
    sequence = await clinic.row_count()
    await clinic.present(who)
    return await clinic.ask(who, "GET", f"/v1/audit/rows/exchange:{sequence}/words")
