"""Devices: where each phone stands and which extension it rings for."""

from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label
from pbx.admin.wire.phones import DeviceAssignment, DeviceView, NewDevice, Placement
from storage.devices import Device
from storage.ledger.actions import Action


@get("/v1/devices", opt=needs(Privilege.DEVICE_READ, Action.DEVICE_LISTED), summary="All phones")
async def list_devices(plane: GivenPlane, caller: GivenCaller) -> list[DeviceView]:
    return [_view(found) for found in await plane.run(plane.devices.listed, caller.deed)]


@get(
    "/v1/devices/{label:str}",
    opt=needs(Privilege.DEVICE_READ, Action.DEVICE_READ),
    summary="One phone",
)
async def show_device(
    plane: GivenPlane,
    caller: GivenCaller,
    label: FromPath[Label],
) -> DeviceView:
    device = await resolve.device(plane, label)
    return _view(await plane.run(plane.devices.show, caller.deed, device))


@post(
    "/v1/devices",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_ADDED),
    summary="Make a phone known; it stands in the lobby until somebody says otherwise",
)
async def add_device(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[NewDevice],
) -> Changed:
    await plane.run(plane.devices.add, caller.deed, data.id, data.label, data.place)
    return Changed(operation=caller.deed.operation)


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


def _view(device: Device) -> DeviceView:
    return DeviceView(
        id=device.id,
        label=device.label,
        place=device.place,
        extension=device.extension,
        version=device.version,
    )


ROUTES = [list_devices, show_device, add_device, place_device, assign_device]
