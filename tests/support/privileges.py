"""How to use each route of the administration API once, properly.

The routes themselves are found in the running application; this only says what to put into them.
A route without an entry here fails the tests that walk the application.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

import httpx
import msgspec

from pbx.access.policy import DAY
from pbx.access.roles import Role
from pbx.admin import exports
from pbx.admin.policies import step_up
from pbx.cli import security_key
from storage import calls, messages
from storage.audit import reviews
from storage.audit.anomalies import Finding, Kind
from storage.calls import (
    CallOutcome,
    CallRecord,
    LegRecord,
    Parties,
    Receipt,
    Signalling,
    Transfer,
)
from storage.keyholder import acts, protocol
from storage.keyholder.presence import relying_party
from storage.keyholder.signing import SignedStatement
from storage.ledger.unit import Unit
from storage.messages import NewMessage
from storage.sealed.primitives import random
from tests.support.authenticator import Authenticator
from tests.support.clinic import Clinic, Member

Verb = Callable[..., Awaitable[object]]
Use = Callable[[Clinic, Member], Awaitable[httpx.Response]]
USES: dict[tuple[str, str], Use] = {}
_serial = iter(range(10_000))


def use(method: str, path: str) -> Callable[[Use], Use]:
    def remember(function: Use) -> Use:
        USES[method, path] = function
        return function

    return remember


def reading(method: str, path: str, actual: str | None = None) -> None:
    """A route that needs nothing but its path."""

    async def plain(clinic: Clinic, who: Member) -> httpx.Response:
        return await clinic.ask(who, method, actual or path)

    USES[method, path] = plain


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
    return await clinic.hire(f"new{next(_serial)}", root)


async def enrolled(clinic: Clinic) -> Member:
    person = await newcomer(clinic)
    root, manager = clinic.members["root"], clinic.members["manager"]
    await clinic.present(manager)
    await clinic.enrol(person, root, manager)
    return person


async def extension(clinic: Clinic, holder: Member | None = None) -> str:
    """A number with a holder."""
    root = clinic.members["root"]
    holder = holder or await newcomer(clinic)
    await clinic.present(root)
    number = f"2{next(_serial):04}"
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


async def suspend(clinic: Clinic, who: Member, person: Member) -> httpx.Response:
    body = {"proof": await clinic.proof(who, acts.Suspend(person.id))}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/suspension", body)


async def leave(clinic: Clinic, who: Member, person: Member) -> httpx.Response:
    body = {"proof": await clinic.proof(who, acts.Leave(person.id))}
    return await clinic.ask(who, "POST", f"/v1/people/{person.login}/departure", body)


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


async def phone(clinic: Clinic) -> str:
    root = clinic.members["root"]
    await clinic.present(root)
    label = f"phone {next(_serial)}"
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


@use("POST", "/v1/people")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    identifier, login = clinic.id(), f"new{next(_serial)}"
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
    return await assign(clinic, who, f"3{next(_serial):04}", holder, 0)


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


@use("GET", "/v1/devices/{label:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/devices/{await phone(clinic)}")


@use("POST", "/v1/devices")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"id": clinic.id(), "label": f"phone {next(_serial)}"}
    return await clinic.ask(who, "POST", "/v1/devices", body)


@use("POST", "/v1/devices/{label:str}/place")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 1, "place": "exam-room"}
    return await clinic.ask(who, "POST", f"/v1/devices/{await phone(clinic)}/place", body)


@use("POST", "/v1/devices/{label:str}/assignment")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 1, "extension": await extension(clinic)}
    return await clinic.ask(who, "POST", f"/v1/devices/{await phone(clinic)}/assignment", body)


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


async def recorded(clinic: Clinic) -> UUID:
    """A call that is over."""
    id, device = clinic.id(), clinic.id()
    leg = LegRecord(
        id=clinic.id(),
        role="caller",
        device=device,
        person=None,
        started_at=clinic.now,
        answered_at=clinic.now,
        ended_at=clinic.now,
        status=200,
        receipt=Receipt(
            suite="AEAD_AES_256_GCM",
            signalling=Signalling(
                tls_version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", authentication="certificate"
            ),
            mos=4.3,
        ),
    )
    record = CallRecord(
        id=id,
        started_at=clinic.now,
        answered_at=clinic.now,
        ended_at=clinic.now,
        route="person",
        outcome=CallOutcome.ANSWERED,
        cause="hung-up",
        is_emergency=False,
        caller_device=device,
        caller_person=None,
        callee_tenure=None,
        parties=Parties(
            caller_number="1001",
            dialled="1002",
            transfers=(
                Transfer(
                    at=clinic.now,
                    kind="blind",
                    by=device,
                    by_person=None,
                    who=device,
                    number="1003",
                    status=200,
                ),
            ),
        ),
        legs=(leg,),
    )
    await clinic.telephony.records_key.refresh()
    key = clinic.telephony.keys.current()

    async def work(unit: Unit) -> None:
        await calls.write(unit.connection, [record], key)

    await clinic.plane.committer.run(work)
    return id


@use("GET", "/v1/call-records/{call:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/call-records/{await recorded(clinic)}")


@use("GET", "/v1/call-records/{call:uuid}/parties")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/call-records/{await recorded(clinic)}/parties")


@use("DELETE", "/v1/calls/{call:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "DELETE", f"/v1/calls/{clinic.id()}")


@use("POST", "/v1/restart")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    answer = await clinic.ask(who, "POST", "/v1/restart", {"drain": True})
    clinic.context.restart.call_off()
    return answer


@use("DELETE", "/v1/restart")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "DELETE", "/v1/restart")


@use("POST", "/v1/call-tests")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    answer = await clinic.ask(who, "POST", "/v1/call-tests")
    clinic.telephony.test_lines.close_all()
    return answer


@use("GET", "/v1/call-tests/{test:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    line = clinic.telephony.test_lines.open()
    answer = await clinic.ask(who, "GET", f"/v1/call-tests/{line.caller.device}")
    clinic.telephony.test_lines.close_all()
    return answer


@use("DELETE", "/v1/call-tests/{test:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    line = clinic.telephony.test_lines.open()
    return await clinic.ask(who, "DELETE", f"/v1/call-tests/{line.caller.device}")


async def shared(clinic: Clinic, label: str = "") -> tuple[UUID, str]:
    """A shared mailbox without members."""
    root = await clinic.present(clinic.members["root"])
    mailbox, label = clinic.id(), label or f"shared {next(_serial)}"
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
    return await share(clinic, who, clinic.id(), f"shared {next(_serial)}")


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


DND = {"setting": "do-not-disturb", "is_on": True}


async def ring_group(clinic: Clinic) -> str:
    """A number at which a group rings."""
    root = await clinic.present(clinic.members["root"])
    number = f"6{next(_serial):04}"
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
    number = f"6{next(_serial):04}"
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


async def site(clinic: Clinic) -> str:
    """A site without phones."""
    root = await clinic.present(clinic.members["root"])
    version = (await clinic.do(root, "GET", "/v1/organisation"))["version"]
    if version == 0:
        body = {"version": 0, "name": "Lakeside"}
        await clinic.do(root, "POST", "/v1/organisation/name", body)
    name = f"site {next(_serial)}"
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
    body = {"id": clinic.id(), "name": f"site {next(_serial)}"}
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


@use("POST", "/v1/devices/{label:str}/site")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 1, "site": await site(clinic)}
    return await clinic.ask(who, "POST", f"/v1/devices/{await phone(clinic)}/site", body)


async def patient_box(clinic: Clinic) -> UUID:
    """A mailbox of somebody who has nothing to do with it."""
    number = await extension(clinic)
    root = await clinic.present(clinic.members["root"])
    return (await held(clinic, root, number))[0]


async def break_glass(clinic: Clinic, who: Member, mailbox: UUID) -> httpx.Response:
    reason = "the result cannot wait"
    proof = await clinic.proof(who, acts.BreakGlass(mailbox, reason))
    body = {"mailbox": mailbox, "reason": reason, "proof": proof}
    return await clinic.ask(who, "POST", "/v1/break-glass", body)


async def approve_glass(clinic: Clinic, who: Member, waiting: httpx.Response) -> httpx.Response:
    import base64

    found = waiting.json()
    digest = base64.b64decode(found["digest"])
    proof = await clinic.proof(who, acts.Approve(UUID(found["proposal"]), digest))
    body = {"digest": digest, "proof": proof}
    return await clinic.ask(who, "POST", f"/v1/break-glass/{found['proposal']}/approval", body)


async def nurse(clinic: Clinic) -> Member:
    """Somebody who may ask for break-glass."""
    await clinic.present(clinic.members["manager"])
    await clinic.present(clinic.members["root"])
    return await clinic.with_role(f"nurse{next(_serial)}", Role.CLINICAL_STAFF)


@use("POST", "/v1/break-glass")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox = await patient_box(clinic)
    return await break_glass(clinic, await clinic.present(who), mailbox)


@use("GET", "/v1/break-glass/mailboxes/{what:str}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    mailbox = await patient_box(clinic)
    await clinic.present(who)
    return await clinic.ask(who, "GET", f"/v1/break-glass/mailboxes/{mailbox}")


@use("GET", "/v1/break-glass/{proposal:uuid}/approval")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    asker, mailbox = await nurse(clinic), await patient_box(clinic)
    waiting = await break_glass(clinic, await clinic.present(asker), mailbox)
    proposal = waiting.json()["proposal"]
    await clinic.present(who)
    return await clinic.ask(who, "GET", f"/v1/break-glass/{proposal}/approval")


@use("POST", "/v1/break-glass/{proposal:uuid}/approval")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    asker, mailbox = await nurse(clinic), await patient_box(clinic)
    waiting = await break_glass(clinic, await clinic.present(asker), mailbox)
    return await approve_glass(clinic, await clinic.present(who), waiting)


@use("POST", "/v1/break-glass/{mailbox:uuid}/ending")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    asker = who if who.login != "manager" and who.login != "root" else await nurse(clinic)
    mailbox = await patient_box(clinic)
    waiting = await break_glass(clinic, await clinic.present(asker), mailbox)
    if not waiting.is_success:  # who may approve may not ask
        asker = await nurse(clinic)
        waiting = await break_glass(clinic, asker, mailbox)
    approved = await approve_glass(clinic, await clinic.present(clinic.members["manager"]), waiting)
    assert approved.is_success, approved.text
    await clinic.present(who)
    proof = await clinic.proof(who, acts.EndBreakGlass(mailbox, asker.id))
    body = {"person": asker.id, "proof": proof}
    return await clinic.ask(who, "POST", f"/v1/break-glass/{mailbox}/ending", body)


# -- messages

reading("GET", "/v1/own/messages")
reading("GET", "/v1/deleted-messages")
reading("GET", "/v1/holds")
reading("GET", "/v1/voicemail")


async def message(clinic: Clinic, owner: Member, *verbs: tuple[Verb, str]) -> UUID:
    """Left in a mailbox of theirs; what the key holder knows of it is nothing."""
    root = clinic.members["root"]
    await extension(clinic, owner)
    await clinic.present(root)
    found = [box for box in await clinic.plane.keyholder.mailboxes() if box.owner == owner.id]
    new = NewMessage(
        id=clinic.id(), mailbox=found[-1].id, content=random(16), deposit_key=clinic.id(),
        slot=b"s", codec="pcmu", milliseconds=1, octets=1, segments=1, digest=random(32),
        received_at=clinic.now,
    )  # fmt: skip
    deed = clinic.plane.deed
    await clinic.plane.run(messages.deposit, deed(), new, None, None)
    await clinic.plane.run(messages.adopted, deed(), new.id, b"own slot")
    for verb, argument in verbs:
        await clinic.plane.run(verb, deed(), new.id, argument)
    return new.id


async def own_message(clinic: Clinic, who: Member, *verbs: tuple[Verb, str]) -> UUID:
    made = await message(clinic, who, *verbs)
    await clinic.present(who)
    return made


def opening(name: str) -> None:
    @use("POST", f"/v1/own/messages/{{message:uuid}}/{name}")
    async def _(clinic: Clinic, who: Member) -> httpx.Response:
        path = f"/v1/own/messages/{await own_message(clinic, who)}/{name}"
        body = {
            "purpose": "to call back",
            "suite": "P384",
            "public": bytes(97),
            "voucher": bytes(32),
        }
        return await clinic.ask(who, "POST", path, body)


for name in ("listening", "export", "plain-export"):
    opening(name)


@use("POST", "/v1/own/messages/{message:uuid}/deletion")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    path = f"/v1/own/messages/{await own_message(clinic, who)}/deletion"
    return await clinic.ask(who, "POST", path)


@use("POST", "/v1/deleted-messages/{message:uuid}/restoration")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    gone = await own_message(clinic, who, (messages.delete, "owner"))
    return await clinic.ask(who, "POST", f"/v1/deleted-messages/{gone}/restoration")


@use("GET", "/v1/certificates/{message:uuid}")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    statement = msgspec.json.encode(SignedStatement("certificate of destruction", "{}")).decode()
    made = await own_message(
        clinic, who, (messages.delete, "owner"), (messages.destroyed, statement)
    )
    return await clinic.ask(who, "GET", f"/v1/certificates/{made}")


async def hold(clinic: Clinic, who: Member) -> tuple[httpx.Response, UUID]:
    box, _ = await shared(clinic)
    await clinic.present(who)
    new = clinic.id()
    proof = await clinic.proof(who, acts.Hold(box, new))
    body = {"id": new, "mailbox": box, "reason": "a letter", "proof": proof}
    return await clinic.ask(who, "POST", "/v1/holds", body), new


@use("POST", "/v1/holds")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return (await hold(clinic, who))[0]


@use("POST", "/v1/holds/{hold:uuid}/release")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    answer, made = await hold(clinic, who)
    if not answer.is_success:
        return answer
    async with clinic.plane.database.read() as connection:
        box = (await clinic.plane.holds.find(connection, made)).mailbox
    body = {"proof": await clinic.proof(who, acts.ReleaseHold(box, made))}
    return await clinic.ask(who, "POST", f"/v1/holds/{made}/release", body)


@use("POST", "/v1/purge")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "POST", "/v1/purge", {"is_dry_run": True})


@use("GET", "/v1/mailboxes/{mailbox:uuid}/retention")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    return await clinic.ask(who, "GET", f"/v1/mailboxes/{clinic.id()}/retention")


@use("PUT", "/v1/mailboxes/{mailbox:uuid}/retention")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    body = {"version": 0, "days": 30}
    return await clinic.ask(who, "PUT", f"/v1/mailboxes/{clinic.id()}/retention", body)


@use("POST", "/v1/devices/{label:str}/media")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    label = await phone(clinic)
    body = {"keying": "dtls", "mux": True}
    return await clinic.ask(who, "POST", f"/v1/devices/{label}/media", body)


@use("POST", "/v1/devices/{label:str}/lamp")
async def _(clinic: Clinic, who: Member) -> httpx.Response:
    label = await phone(clinic)
    return await clinic.ask(who, "POST", f"/v1/devices/{label}/lamp", {"shows": False})


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
        key=str(next(_serial)),
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
