"""People: added, enrolled, suspended, gone; signing in and what only reads."""

import httpx

from pbx.access.policy import DAY
from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.uses.registry import reading, serial, use

for listing in ("session", "own/sessions", "sessions", "people", "grants", "proposals"):
    reading("GET", f"/v1/{listing}")

for listing in ("own/security-keys", "organisation", "sites"):
    reading("GET", f"/v1/{listing}")

for listing in ("registrations", "calls", "call-records", "mailboxes", "own/mailboxes", "console"):
    reading("GET", f"/v1/{listing}")

for listing in ("extensions", "devices", "exceptions", "policies", "keys", "roles", "status"):
    reading("GET", f"/v1/{listing}")

reading("GET", "/v1/people/{who:str}", "/v1/people/root")

reading("GET", "/v1/history/{kind:str}/{what:str}", "/v1/history/person/root")

reading("POST", "/v1/challenge")

reading("GET", "/v1/restart")

reading("GET", "/v1/break-glass")

reading("DELETE", "/v1/session")


async def newcomer(clinic: Clinic) -> Member:
    """Somebody nobody will miss."""
    root = clinic.members["root"]
    await clinic.present(root)
    return await clinic.hire(f"new{next(serial)}", root)


async def enrolled(clinic: Clinic) -> Member:
    person = await newcomer(clinic)
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(manager)
    await clinic.enrol(person, root, manager)
    return person


async def suspend(clinic: Clinic, who: Member, person: Member) -> httpx.Response:
    body = {"proof": await clinic.proof(who, acts.Suspend(person.id))}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/suspension", body)


async def leave(clinic: Clinic, who: Member, person: Member) -> httpx.Response:
    body = {"proof": await clinic.proof(who, acts.Leave(person.id))}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/departure", body)


@use("POST", "/v1/session")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.try_sign_in(who)


@use("DELETE", "/v1/own/sessions/{session:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "DELETE", f"/v1/own/sessions/{who.session}")


@use("DELETE", "/v1/sessions/{session:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    other = await enrolled(clinic)
    await clinic.present(who)
    return await clinic.ask(who, "DELETE", f"/v1/sessions/{other.session}")


@use("POST", "/v1/enrolment")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    sealed, _ = await clinic.prove(
        None, acts.Enrol(who.login), enrolment_code="wrong", new_password=who.password
    )
    return await clinic.ask(None, "POST", "/v1/enrolment", {"login": who.login, "proof": sealed})


@use("POST", "/v1/enrolment/confirmation")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    sealed, _ = await clinic.prove(
        None, acts.ConfirmEnrolment(who.login), password="wrong", totp="000000"
    )
    body = {"login": who.login, "proof": sealed}
    return await clinic.ask(None, "POST", "/v1/enrolment/confirmation", body)


@use("POST", "/v1/people")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    identifier, login = clinic.id(), f"new{next(serial)}"
    proof = await clinic.proof(who, acts.AddPerson(identifier, login))
    body = {"id": identifier, "login": login, "name": "New", "proof": proof}
    return await clinic.ask(who, "POST", "/v1/people", body)


@use("POST", "/v1/people/{who:str}/name")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    body = {"version": 1, "name": "Renamed"}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/name", body)


@use("POST", "/v1/people/{who:str}/end")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    until = clinic.now + DAY
    proof = await clinic.proof(who, acts.SetEnd(person.id, until))
    body = {"version": 1, "until": until, "proof": proof}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/end", body)


@use("POST", "/v1/people/{who:str}/suspension")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await suspend(clinic, who, await newcomer(clinic))


@use("POST", "/v1/people/{who:str}/resumption")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    await suspend(clinic, await clinic.present(clinic.members["root"]), person)
    await clinic.present(who)
    proof = await clinic.proof(who, acts.Reinstate(person.id))
    body = {"proof": proof}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/resumption", body)


@use("POST", "/v1/people/{who:str}/departure")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await leave(clinic, who, await newcomer(clinic))


@use("POST", "/v1/people/{who:str}/unlocking")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    body = {"proof": await clinic.proof(who, acts.LiftLock(person.id))}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/unlocking", body)


@use("POST", "/v1/people/{who:str}/enrolment")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    body = {"proof": await clinic.proof(who, acts.IssueEnrolment(person.id))}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/enrolment", body)
