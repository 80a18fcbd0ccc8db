"""Devices: where each phone stands and which extension it rings for."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.enrolling import MD5, SHA256, Credentials, enrol
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.md5 import check_exception, new_exception
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label
from pbx.admin.wire.phones import (
    DeviceAssignment,
    DeviceDetails,
    DeviceView,
    LockView,
    MediaManner,
    NewDevice,
    PhoneSecret,
    Placement,
)
from pbx.b2bua.manners import WORDS, of_words, written
from pbx.telephony import Telephony
from storage.conflicts import NotFound
from storage.deeds import Deed
from storage.devices import Device
from storage.ledger.actions import Action
from storage.ledger.unit import Unit
from storage.phones import PhoneIdentity

Show = Callable[[Unit, Deed, UUID], Awaitable[Device]]


@get("/v1/devices", opt=needs(Privilege.DEVICE_READ, Action.DEVICE_LISTED), summary="All phones")
async def list_devices(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony
) -> list[DeviceView]:
    async def work(unit: Unit) -> list[DeviceView]:
        found = await plane.devices.listed(unit, caller.deed)
        identities = {
            identity.device: identity
            for identity in await telephony.phones.identities(unit.connection)
        }
        return [
            DeviceView(**_shown(device, identities.get(device.id), telephony)) for device in found
        ]

    return await plane.committer.run(work)


@get(
    "/v1/devices/{label:str}",
    opt=needs(Privilege.DEVICE_READ, Action.DEVICE_READ),
    summary="One phone",
)
async def show_device(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, label: FromPath[Label]
) -> DeviceDetails:
    device = await resolve.device(plane, label)
    return await plane.run(_details, caller.deed, plane.devices.show, telephony, device)


@post(
    "/v1/devices",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_ADDED),
    summary="Make a phone known; it stands in the lobby until somebody says otherwise",
)
async def add_device(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, data: JSONBody[NewDevice]
) -> PhoneSecret:
    deed, md5 = caller.deed, data.md5
    if md5 is not None:
        await check_exception(plane, caller, md5)

    async def work(unit: Unit) -> Credentials:
        await plane.devices.add(unit, deed, data.id, data.label, data.place)
        if md5 is not None:
            await plane.exceptions.grant(unit, deed, new_exception(md5, data.id))
        algorithm = SHA256 if md5 is None else MD5
        return await enrol(telephony.phones, unit, deed, data.id, telephony.domain, algorithm)

    return telephony.told(deed.operation, await plane.committer.run(work))


@post(
    "/v1/devices/{label:str}/place",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_PLACED),
    status_code=200,
    summary="Say where a phone stands",
)
async def place_device(
    plane: GivenPlane, caller: GivenCaller, label: FromPath[Label], data: JSONBody[Placement]
) -> Changed:
    device = await resolve.device(plane, label)
    await plane.run(plane.devices.place, caller.deed, device, data.version, data.place)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/devices/{label:str}/assignment",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_ASSIGNED),
    status_code=200,
    summary="Say which extension a phone rings for",
)
async def assign_device(
    plane: GivenPlane, caller: GivenCaller, label: FromPath[Label], data: JSONBody[DeviceAssignment]
) -> Changed:
    device = await resolve.device(plane, label)
    extension = None if data.extension is None else await resolve.extension(plane, data.extension)
    await plane.run(plane.devices.assign, caller.deed, device, data.version, extension)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/devices/{label:str}/media",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_MANNER_SET),
    status_code=200,
    summary="Say how a phone describes its media; what it offers itself counts for more",
)
async def set_manner(
    plane: GivenPlane,
    caller: GivenCaller,
    telephony: GivenTelephony,
    label: FromPath[Label],
    data: JSONBody[MediaManner],
) -> Changed:
    device = await resolve.device(plane, label)
    said = [word for word in WORDS if getattr(data, word)]
    manner = written(of_words(data.keying == "dtls", said))
    await plane.run(telephony.phones.set_manner, caller.deed, device, manner)
    telephony.manners.forget(device)
    return Changed(operation=caller.deed.operation)


def _shown(device: Device, identity: PhoneIdentity | None, telephony: Telephony) -> dict[str, Any]:
    known = {
        "id": device.id,
        "label": device.label,
        "place": device.place,
        "extension": device.extension,
        "site": device.site,
        "version": device.version,
        "is_shared": device.is_shared,
        "signed_in": telephony.signed_in(device.id),
    }
    if identity is None:
        return known
    return known | {
        "username": identity.username,
        "algorithm": identity.algorithm if identity.ha1 else "",
        "has_certificate": bool(identity.certificate),
        "answers_emergency": identity.answers_emergency,
        "is_registered": bool(telephony.location.bindings_of(str(device.id))),
    }


async def _details(
    unit: Unit, deed: Deed, show: Show, telephony: Telephony, id: UUID
) -> DeviceDetails:
    device = await show(unit, deed, id)
    try:
        identity = await telephony.phones.identity(unit.connection, id)
    except NotFound:
        return DeviceDetails(**_shown(device, None, telephony))
    seen = await telephony.phones.presence(unit.connection, id)
    return DeviceDetails(
        **_shown(device, identity, telephony),
        has_used_sha256=identity.has_used_sha256,
        first_seen_at=seen.first_seen_at if seen else None,
        seen_at=seen.seen_at if seen else None,
        source=seen.source if seen else "",
        user_agent=seen.user_agent if seen else "",
        manner=written(telephony.manners.of(id)) if telephony.manners.is_known(id) else "",
        locks=tuple(
            LockView(source=lock.source, seconds=int(lock.seconds)) for lock in telephony.locks(id)
        ),
    )


ROUTES = [list_devices, show_device, add_device, place_device, assign_device, set_manner]
