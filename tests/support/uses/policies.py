"""Policies, exceptions, and the key holder itself."""

from uuid import UUID

import httpx

from pbx.access.policy import DAY
from pbx.admin.policies import step_up
from storage.keyholder import acts
from tests.support.clinic import Clinic, Member
from tests.support.uses.people import newcomer
from tests.support.uses.registry import use


async def excepted(clinic: Clinic, who: Member) -> tuple[UUID, httpx.Response]:
    person = await newcomer(clinic)
    identifier = clinic.id()
    body = {
        "id": identifier,
        "kind": "longer-idle",
        "subject": person.id,
        "owner": person.id,
        "reason": "reads long reports",
        "expires_at": clinic.now + DAY,
    }
    return identifier, await clinic.ask(who, "POST", "/v1/exceptions", body)


@use("POST", "/v1/exceptions")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return (await excepted(clinic, who))[1]


@use("POST", "/v1/exceptions/{exception:uuid}/closing")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    await clinic.present(clinic.members["root"])
    exception, _ = await excepted(clinic, clinic.members["root"])
    return await clinic.ask(who, "POST", f"/v1/exceptions/{exception}/closing")


@use("PUT", "/v1/policies/{name:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    name = "exception-days"
    policies = await clinic.do(who, "GET", "/v1/policies")
    [version] = [found["version"] for found in policies if found["name"] == name]
    proof = await clinic.proof(who, step_up(name, version, 80, None))
    body = {"version": version, "value": 80, "proof": proof}
    return await clinic.ask(who, "PUT", f"/v1/policies/{name}", body)


@use("POST", "/v1/keys/rotation")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"proof": await clinic.proof(who, acts.Rotate())}
    return await clinic.ask(who, "POST", "/v1/keys/rotation", body)


async def recovery(clinic: Clinic, who: Member, holders: tuple[UUID, ...]) -> httpx.Response:
    act = acts.SetRecovery(len(holders), holders)
    secrets = {} if holders else {"recovery_passphrase": "ten blue horses under water"}
    body = {"threshold": act.threshold, "holders": list(holders)}
    body |= {"proof": await clinic.proof(who, act, **secrets)}
    return await clinic.ask(who, "POST", "/v1/keys/recovery", body)


@use("POST", "/v1/keys/recovery")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await recovery(clinic, who, ())


@use("POST", "/v1/own/recovery-share")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    root, manager = clinic.members["root"], clinic.members["manager"]
    other = root if who is not root else manager
    await clinic.present(root)
    await clinic.present(manager)
    await clinic.approve(manager, (await recovery(clinic, root, (who.id, other.id))).json())
    await clinic.present(who)
    body = {"proof": await clinic.proof(who, acts.CollectShare())}
    return await clinic.ask(who, "POST", "/v1/own/recovery-share", body)


@use("POST", "/v1/keys/backup")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(manager)
    await clinic.approve(manager, (await recovery(clinic, root, (root.id, manager.id))).json())
    await clinic.present(who)
    directory = clinic.layout.root / "backup"
    directory.mkdir(exist_ok=True)
    act = acts.Backup(str(directory), True)
    body = {"directory": str(directory), "force": True, "proof": await clinic.proof(who, act)}
    return await clinic.ask(who, "POST", "/v1/keys/backup", body)
