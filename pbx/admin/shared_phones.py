"""Shared phones: which ones people sign in on, and signing somebody out who walked away."""

from litestar import post
from litestar.params import FromPath, JSONBody

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label
from pbx.admin.wire.phones import Sharing, SignedOut
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.sign_ins import Why


@post(
    "/v1/devices/{label:str}/sharing",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_SHARED),
    status_code=200,
    summary="Let people sign in on a phone, or nobody any more",
)
async def share_device(
    plane: GivenPlane, caller: GivenCaller, label: FromPath[Label], data: JSONBody[Sharing]
) -> Changed:
    device = await resolve.device(plane, label)
    await plane.run(plane.devices.share, caller.deed, device, data.version, data.shared)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/devices/{label:str}/sign-out",
    opt=needs(Privilege.DEVICE_SIGN_OUT, Action.PHONE_SIGNED_OUT),
    status_code=200,
    summary="Sign out whoever is signed in on a shared phone",
)
async def sign_out(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, label: FromPath[Label]
) -> SignedOut:
    device = await resolve.device(plane, label)
    was = await telephony.sign_ins.sign_out(device, Why.ADMIN, caller.deed.actor)

    async def nobody(unit: Unit) -> None:
        await plane.devices.facts(unit.connection, device)
        unit.record(caller.deed.entry(Action.PHONE_SIGNED_OUT, Subject("device", device)))

    if not was:
        await plane.committer.run(nobody)
    return SignedOut(operation=caller.deed.operation, was_signed_in=was)


ROUTES = [share_device, sign_out]
