"""One's own password, second factor and PIN; nobody sets another person's.

Everything secret is inside the proof or inside an answer sealed to the asker: the exchange relays.
"""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.errors import Denied
from pbx.access.roles import Privilege
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.plane import REFUSED, Caller, Plane
from pbx.admin.rules import needs, public
from pbx.admin.sessions import opened
from pbx.admin.wire.fields import Performed, Proved
from pbx.admin.wire.sessions import NewSecurityKey, PinChange, SecurityKeyView, SignedIn, SignIn
from storage.keyholder import acts
from storage.keyholder.protocol import Done, Opened
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit

OWN = needs(Privilege.OWN_FACTORS, Action.FACTORS_CHANGED)


@post("/v1/enrolment", opt=public(Action.ENROLMENT_BEGUN), summary="Use a one-time enrolment code")
async def enrol(plane: GivenPlane, caller: GivenCaller, data: JSONBody[SignIn]) -> Performed:
    act = acts.Enrol(login=data.login)
    answer = await plane.perform(caller, act, data.proof, action=Action.ENROLMENT_BEGUN)
    if not isinstance(answer, Done):
        raise Denied(REFUSED)
    await plane.begun(caller.deed, answer.person, act)
    return Performed(operation=caller.deed.operation, answer=answer.answer)


@post(
    "/v1/enrolment/confirmation",
    opt=public(Action.PERSON_ENROLLED),
    summary="Finish enrolment with the first code of the new second factor",
)
async def confirm_enrolment(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[SignIn],
) -> SignedIn:
    answer = await plane.perform(
        caller, acts.ConfirmEnrolment(login=data.login), data.proof, action=Action.PERSON_ENROLLED
    )
    signed_in = await opened(plane, caller, answer)
    if isinstance(answer, Opened):
        await plane.run(plane.people.enrolled, caller.deed, answer.person)
    return signed_in


@post("/v1/own/password", opt=OWN, status_code=200, summary="Change one's own password")
async def change_password(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[Proved],
) -> Performed:
    return await _own(plane, caller, acts.ChangePassword(), data.proof)


@post("/v1/own/second-factor", opt=OWN, status_code=200, summary="Replace one's second factor")
async def replace_totp(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[Proved],
) -> Performed:
    return await _own(plane, caller, acts.ReplaceTotp(), data.proof)


@post(
    "/v1/own/second-factor/confirmation",
    opt=OWN,
    status_code=200,
    summary="Confirm the new second factor",
)
async def confirm_totp(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[Proved],
) -> Performed:
    return await _own(plane, caller, acts.ConfirmTotp(), data.proof)


@post("/v1/own/pin", opt=OWN, status_code=200, summary="Set one's own PIN")
async def set_pin(plane: GivenPlane, caller: GivenCaller, data: JSONBody[PinChange]) -> Performed:
    return await _own(plane, caller, acts.SetPin(extensions=tuple(data.extensions)), data.proof)


@get(
    "/v1/own/security-keys",
    opt=needs(Privilege.OWN_FACTORS, Action.FACTORS_LISTED),
    summary="One's own security keys",
)
async def security_keys(plane: GivenPlane, caller: GivenCaller) -> list[SecurityKeyView]:
    people = await plane.keyholder.people()
    own = next((one.security_keys for one in people if one.id == caller.someone), ())

    async def work(unit: Unit) -> None:
        subject = Subject("person", caller.someone)
        after = {"security keys": len(own)}
        unit.record(caller.deed.entry(Action.FACTORS_LISTED, subject, after=after))

    await plane.committer.run(work)
    return [SecurityKeyView(id=key.id, label=key.label, added=key.added) for key in own]


@post("/v1/own/security-keys", opt=OWN, status_code=200, summary="Add a security key of one's own")
async def add_security_key(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[NewSecurityKey]
) -> Performed:
    act = acts.AddSecurityKey(key=data.id, label=data.label)
    return await _own(plane, caller, act, data.proof)


@post(
    "/v1/own/security-keys/{key:uuid}/removal",
    opt=OWN,
    status_code=200,
    summary="Remove a security key of one's own",
)
async def remove_security_key(
    plane: GivenPlane, caller: GivenCaller, key: FromPath[UUID], data: JSONBody[Proved]
) -> Performed:
    return await _own(plane, caller, acts.RemoveSecurityKey(key=key), data.proof)


async def _own(plane: Plane, caller: Caller, act: acts.AnyAct, proof: bytes) -> Performed:
    subject = Subject("person", caller.someone)
    answer = await plane.perform(caller, act, proof, action=Action.FACTORS_CHANGED, subject=subject)

    async def work(unit: Unit) -> None:
        unit.record(
            caller.deed.entry(Action.FACTORS_CHANGED, subject, after={"act": acts.name(act)})
        )

    await plane.committer.run(work)
    return Performed(
        operation=caller.deed.operation,
        answer=answer.answer if isinstance(answer, Done) else b"",
    )


ROUTES = [
    enrol,
    confirm_enrolment,
    change_password,
    replace_totp,
    confirm_totp,
    security_keys,
    add_security_key,
    remove_security_key,
    set_pin,
]
