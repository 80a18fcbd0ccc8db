"""Roles, and what waits for a second person."""

from uuid import UUID

import httpx

from pbx.access.roles import Role
from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.uses.people import newcomer
from tests.support.uses.registry import use


async def waiting(clinic: Clinic, who: Member) -> dict[str, str]:
    """A proposal of somebody else's than `who`, about a third person."""
    person = await newcomer(clinic)
    asker = clinic.members["root" if who.login != "root" else "manager"]
    if who.login not in ("root", "manager"):
        asker = clinic.members["root"]
    await clinic.present(asker)
    grant, start = clinic.id(), clinic.now
    act = acts.GrantRole(grant, person.id, Role.FRONT_DESK, start)
    body = {
        "id": grant,
        "person": person.id,
        "role": Role.FRONT_DESK,
        "reason": "needs it",
        "start": start,
        "proof": await clinic.proof(asker, act),
    }
    return dict(await clinic.do(asker, "POST", "/v1/grants", body))


@use("POST", "/v1/grants")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    grant, start = clinic.id(), clinic.now
    act = acts.GrantRole(grant, person.id, Role.BILLING, start)
    body = {"id": grant, "person": person.id, "role": Role.BILLING, "reason": "needs it"}
    body |= {"start": start, "proof": await clinic.proof(who, act)}
    return await clinic.ask(who, "POST", "/v1/grants", body)


@use("POST", "/v1/grants/{grant:uuid}/revocation")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(manager)
    grant = await clinic.grant(person, Role.BILLING, root, manager)
    await clinic.present(who)
    body = {"proof": await clinic.proof(who, acts.RevokeRole(grant, person.id))}
    return await clinic.ask(who, "POST", f"/v1/grants/{grant}/revocation", body)


async def _decide(clinic: Clinic, who: Member, word: str, kind: type) -> httpx.Response:
    import base64

    proposal = await waiting(clinic, who)
    await clinic.present(who)
    digest = base64.b64decode(proposal["digest"])
    act = kind(UUID(proposal["proposal"]), digest)
    body = {"digest": digest, "proof": await clinic.proof(who, act)}
    return await clinic.ask(who, "POST", f"/v1/proposals/{proposal['proposal']}/{word}", body)


@use("POST", "/v1/proposals/{proposal:uuid}/approval")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await _decide(clinic, who, "approval", acts.Approve)


@use("POST", "/v1/proposals/{proposal:uuid}/refusal")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await _decide(clinic, who, "refusal", acts.Decline)
