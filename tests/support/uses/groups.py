"""Groups, and how somebody is reached."""

import httpx

from tests.support.clinic import Clinic, Member
from tests.support.uses.extensions import extension
from tests.support.uses.people import newcomer
from tests.support.uses.registry import reading, serial, use

DND = {"setting": "do-not-disturb", "is_on": True}


async def ring_group(clinic: Clinic) -> str:
    """A number at which a group rings."""
    root = await clinic.present(clinic.members["root"])
    number = f"6{next(serial):04}"
    body = {"id": clinic.id(), "number": number, "name": "Front desk"}
    await clinic.do(root, "POST", "/v1/groups", body)
    return number


async def in_group(clinic: Clinic) -> tuple[str, str]:
    """A group and its one member."""
    number, member = await ring_group(clinic), await extension(clinic)
    root = await clinic.present(clinic.members["root"])
    body = {"version": 1, "who": member}
    await clinic.do(root, "POST", f"/v1/groups/{number}/members", body)
    return number, member


reading("GET", "/v1/groups")


@use("POST", "/v1/groups")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number = f"6{next(serial):04}"
    body = {"id": clinic.id(), "number": number, "name": "Front desk"}
    return await clinic.ask(who, "POST", "/v1/groups", body)


@use("GET", "/v1/groups/{number:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number, _ = await in_group(clinic)
    return await clinic.ask(await clinic.present(who), "GET", f"/v1/groups/{number}")


@use("POST", "/v1/groups/{number:str}/settings")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number, _ = await in_group(clinic)
    path, body = f"/v1/groups/{number}/settings", {"version": 2, "strategy": "by-round"}
    return await clinic.ask(await clinic.present(who), "POST", path, body)


@use("POST", "/v1/groups/{number:str}/members")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number = await ring_group(clinic)
    body = {"version": 1, "who": "root", "delay": 5}
    path = f"/v1/groups/{number}/members"
    return await clinic.ask(await clinic.present(who), "POST", path, body)


@use("POST", "/v1/groups/{number:str}/members/removal")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number, member = await in_group(clinic)
    path, body = f"/v1/groups/{number}/members/removal", {"version": 2, "who": member}
    return await clinic.ask(await clinic.present(who), "POST", path, body)


@use("DELETE", "/v1/groups/{number:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    path = f"/v1/groups/{await ring_group(clinic)}"
    return await clinic.ask(await clinic.present(who), "DELETE", path, version=1)


@use("POST", "/v1/groups/{number:str}/undoing")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    path = f"/v1/groups/{await ring_group(clinic)}/undoing"
    return await clinic.ask(await clinic.present(who), "POST", path, {"version": 1})


@use("GET", "/v1/extensions/{number:str}/last-change")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    path = f"/v1/extensions/{await extension(clinic)}/last-change"
    return await clinic.ask(await clinic.present(who), "GET", path)


@use("POST", "/v1/extensions/{number:str}/reach/undoing")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    number = await extension(clinic, person)
    root = await clinic.present(clinic.members["root"])
    await clinic.do(root, "POST", f"/v1/people/{person.login}/reach", DND)
    path = f"/v1/extensions/{number}/reach/undoing"
    return await clinic.ask(await clinic.present(who), "POST", path)


@use("POST", "/v1/own/reach/undoing")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    await extension(clinic, who)
    await clinic.do(await clinic.present(who), "POST", "/v1/own/reach", DND)
    return await clinic.ask(await clinic.present(who), "POST", "/v1/own/reach/undoing")


@use("GET", "/v1/people/{who:str}/reach")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    await extension(clinic, person)
    root = await clinic.present(clinic.members["root"])
    await clinic.do(root, "POST", f"/v1/people/{person.login}/reach", DND)
    return await clinic.ask(await clinic.present(who), "GET", f"/v1/people/{person.login}/reach")


@use("POST", "/v1/people/{who:str}/reach")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    await extension(clinic, person)
    path = f"/v1/people/{person.login}/reach"
    return await clinic.ask(await clinic.present(who), "POST", path, DND)


@use("GET", "/v1/own/reach")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", "/v1/own/reach")


@use("POST", "/v1/own/reach")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    number = await extension(clinic, await newcomer(clinic))
    await extension(clinic, who)
    body = {"setting": "busy", "is_on": True, "number": number}
    return await clinic.ask(await clinic.present(who), "POST", "/v1/own/reach", body)
