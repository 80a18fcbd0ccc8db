"""One's own password, second factors and PIN."""

from uuid import UUID

import httpx

from pbx.cli import security_key
from storage.keyholder import acts
from storage.keyholder.presence import relying_party
from tests.support.authenticator import Authenticator
from tests.support.clinic import Clinic, Member
from tests.support.uses.registry import use


@use("POST", "/v1/own/password")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    secrets = {"password": who.password, "new_password": f"{who.password} again"}
    proof = await clinic.proof(who, acts.ChangePassword(), **secrets)
    response = await clinic.ask(who, "POST", "/v1/own/password", {"proof": proof})
    if response.is_success:
        who.password = secrets["new_password"]
    return response


@use("POST", "/v1/own/second-factor")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    proof = await clinic.proof(who, acts.ReplaceTotp(), password=who.password)
    return await clinic.ask(who, "POST", "/v1/own/second-factor", {"proof": proof})


@use("POST", "/v1/own/second-factor/confirmation")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    import base64

    from storage.keyholder.clock import SECOND
    from storage.keyholder.protocol import Enrolment
    from storage.sealed.primitives import hotp

    secrets = {"totp": clinic.code(who), "password": who.password}
    sealed, asker = await clinic.prove(who, acts.ReplaceTotp(), **secrets)
    answer = await clinic.ask(who, "POST", "/v1/own/second-factor", {"proof": sealed})
    enrolment = asker.open(base64.b64decode(answer.json()["answer"]), Enrolment)
    secret = base64.b32decode(enrolment.totp_secret + "=" * (-len(enrolment.totp_secret) % 8))
    code = hotp(secret, clinic.now // SECOND // 30)
    sealed, _ = await clinic.prove(who, acts.ConfirmTotp(), totp=code)
    path = "/v1/own/second-factor/confirmation"
    response = await clinic.ask(who, "POST", path, {"proof": sealed})
    if response.is_success:
        who.totp = secret
    return response


@use("POST", "/v1/own/pin")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    proof = await clinic.proof(who, acts.SetPin(("1001",)), new_pin="739154")
    return await clinic.ask(who, "POST", "/v1/own/pin", {"extensions": ["1001"], "proof": proof})


def registration(bound: bytes, clinic: Clinic, who: Member, key: Authenticator) -> bytearray:
    """What a security key makes of it."""
    assert clinic.house.pin is not None
    token = security_key.attached.set(lambda: [key])
    party = relying_party(clinic.house.pin.signing_key)
    made = security_key.register(party, bound, who.login, "Somebody")
    security_key.attached.reset(token)
    return made


async def keyed(clinic: Clinic, who: Member) -> tuple[UUID, httpx.Response]:
    """A security key added to one's own account."""
    act = acts.AddSecurityKey(clinic.id(), "blue key")
    secrets = {"password": who.password, "totp": clinic.code(who)}

    def made(bound: bytes) -> dict[str, bytearray]:
        return {"registration": registration(bound, clinic, who, Authenticator())}

    sealed, _ = await clinic.prove(who, act, signed=made, **secrets)
    body = {"id": act.key, "label": act.label, "proof": sealed}
    return act.key, await clinic.ask(who, "POST", "/v1/own/security-keys", body)


@use("POST", "/v1/own/security-keys")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return (await keyed(clinic, who))[1]


@use("POST", "/v1/own/security-keys/{key:uuid}/removal")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    key, _ = await keyed(clinic, who)
    proof = await clinic.proof(who, acts.RemoveSecurityKey(key), password=who.password)
    return await clinic.ask(who, "POST", f"/v1/own/security-keys/{key}/removal", {"proof": proof})
