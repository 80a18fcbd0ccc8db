"""Phones: added, placed, assigned, shared, locked out."""

from uuid import UUID

import httpx

from storage.keyholder import acts, protocol
from tests.support.clinic import Clinic, Member
from tests.support.uses.extensions import extension
from tests.support.uses.people import newcomer
from tests.support.uses.registry import USES, serial, use
from tests.support.uses.sites import site


async def phone(clinic: Clinic) -> str:
    root = clinic.members["root"]
    await clinic.present(root)
    label = f"phone {next(serial)}"
    await clinic.do(root, "POST", "/v1/devices", {"id": clinic.id(), "label": label})
    return label


async def at_a_shared_phone(clinic: Clinic, who: Member) -> tuple[str, UUID]:
    """A shared phone on which somebody with an extension and a PIN is signed in."""
    number = await extension(clinic, who)
    await clinic.present(who)
    proof = await clinic.proof(who, acts.SetPin((number,)), new_pin="739154")
    await clinic.do(who, "POST", "/v1/own/pin", {"extensions": [number], "proof": proof})
    label = await phone(clinic)
    root = await clinic.present(clinic.members["root"])
    shared = {"version": 1, "shared": True}
    await clinic.do(root, "POST", f"/v1/devices/{label}/sharing", shared)
    device = UUID((await clinic.do(root, "GET", f"/v1/devices/{label}"))["id"])
    act = acts.PhoneLogIn(who.id)
    sealed, _ = await clinic.prove(None, act, pin="739154")
    proof_of_pin = protocol.Proof(sealed, protocol.Origin(str(device), "192.0.2.7"), b"")
    evidence = protocol.Evidence(clinic.id())
    opened = await clinic.plane.keyholder.perform(act, proof_of_pin, evidence)
    assert isinstance(opened, protocol.Opened)
    held = clinic.telephony.keeper.current().tenancies[number]
    await clinic.telephony.sign_ins.sign_in(device, held.tenure, opened)
    return label, device


@use("GET", "/v1/devices/{label:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/devices/{await phone(clinic)}")


@use("POST", "/v1/devices")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"id": clinic.id(), "label": f"phone {next(serial)}"}
    return await clinic.ask(who, "POST", "/v1/devices", body)


@use("POST", "/v1/devices/{label:str}/place")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 1, "place": "exam-room"}
    return await clinic.ask(who, "POST", f"/v1/devices/{await phone(clinic)}/place", body)


@use("POST", "/v1/devices/{label:str}/assignment")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 1, "extension": await extension(clinic)}
    return await clinic.ask(who, "POST", f"/v1/devices/{await phone(clinic)}/assignment", body)


def _phone_use(method: str, verb: str, body: dict[str, object] | None = None) -> None:
    """A route below a phone of its own."""

    async def with_a_phone(clinic: Clinic, who: Member) -> httpx.Response:
        return await clinic.ask(who, method, f"/v1/devices/{await phone(clinic)}{verb}", body)

    USES[method, f"/v1/devices/{{label:str}}{verb}"] = with_a_phone


@use("POST", "/v1/people/{who:str}/certificate")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/certificate", {})


@use("DELETE", "/v1/people/{who:str}/certificate")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    person = await newcomer(clinic)
    return await clinic.ask(who, "DELETE", f"/v1/people/{person.login}/certificate")


_phone_use("POST", "/secret", {})

_phone_use("POST", "/certificate", {})

_phone_use("DELETE", "/certificate")

_phone_use("POST", "/emergency", {"answers": True})

_phone_use("POST", "/unlocking")

_phone_use("POST", "/sharing", {"version": 1, "shared": True})

_phone_use("POST", "/sign-out")

_phone_use("DELETE", "")


@use("POST", "/v1/devices/{label:str}/site")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 1, "site": await site(clinic)}
    return await clinic.ask(who, "POST", f"/v1/devices/{await phone(clinic)}/site", body)


@use("POST", "/v1/devices/{label:str}/media")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    label = await phone(clinic)
    body = {"keying": "dtls", "mux": True}
    return await clinic.ask(who, "POST", f"/v1/devices/{label}/media", body)


@use("POST", "/v1/devices/{label:str}/lamp")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    label = await phone(clinic)
    return await clinic.ask(who, "POST", f"/v1/devices/{label}/lamp", {"shows": False})
