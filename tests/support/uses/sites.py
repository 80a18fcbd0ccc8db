"""The organisation and its sites."""

import httpx

from tests.support.clinic import Clinic, Member
from tests.support.uses.registry import serial, use


async def site(clinic: Clinic) -> str:
    """A site without phones."""
    root = await clinic.present(clinic.members["root"])
    version = (await clinic.do(root, "GET", "/v1/organisation"))["version"]
    if version == 0:
        body = {"version": 0, "name": "Lakeside"}
        await clinic.do(root, "POST", "/v1/organisation/name", body)
    name = f"site {next(serial)}"
    body = {"id": clinic.id(), "name": name, "location": "12 Main Street"}
    await clinic.do(root, "POST", "/v1/sites", body)
    return name


@use("POST", "/v1/organisation/name")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    version = (await clinic.do(who, "GET", "/v1/organisation"))["version"]
    body = {"version": version, "name": "Lakeside"}
    return await clinic.ask(who, "POST", "/v1/organisation/name", body)


@use("GET", "/v1/sites/{site:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/sites/{await site(clinic)}")


@use("POST", "/v1/sites")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    await site(clinic)
    body = {"id": clinic.id(), "name": f"site {next(serial)}"}
    return await clinic.ask(who, "POST", "/v1/sites", body)


@use("POST", "/v1/sites/{site:str}/name")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    name = await site(clinic)
    body = {"version": 1, "name": f"{name} renamed"}
    return await clinic.ask(who, "POST", f"/v1/sites/{name}/name", body)


@use("POST", "/v1/sites/{site:str}/location")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 1, "location": "12 Main Street, 2nd floor"}
    return await clinic.ask(who, "POST", f"/v1/sites/{await site(clinic)}/location", body)


@use("DELETE", "/v1/sites/{site:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "DELETE", f"/v1/sites/{await site(clinic)}", version=1)
