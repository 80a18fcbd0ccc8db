"""What a phone proves itself with, where it is, and its part in emergencies."""

from uuid import UUID

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.enrolling import MD5, SHA256, Credentials, rekey
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.issuing import issued
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Label
from pbx.admin.wire.phones import (
    CertificateRequest,
    EmergencyDuty,
    NewSecret,
    PhoneCertificate,
    PhoneSecret,
    RegistrationView,
    Unlocked,
)
from pbx.telephony import Telephony
from storage.exceptions import ExceptionKind, in_force
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit


@post(
    "/v1/devices/{label:str}/secret",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_REKEYED),
    status_code=200,
    summary="Give a phone a new secret; the old one is worth nothing from now on",
)
async def rotate_secret(
    plane: GivenPlane,
    caller: GivenCaller,
    telephony: GivenTelephony,
    label: FromPath[Label],
    data: JSONBody[NewSecret],
) -> PhoneSecret:
    device = await resolve.device(plane, label)

    async def work(unit: Unit) -> Credentials:
        excepted = not data.sha256 and await in_force(
            unit.connection, ExceptionKind.MD5_DEVICE, device, caller.deed.at
        )
        known = await telephony.phones.identity(unit.connection, device)
        algorithm = MD5 if excepted and known.algorithm == MD5.value else SHA256
        return await rekey(telephony.phones, unit, caller.deed, device, telephony.domain, algorithm)

    return telephony.told(caller.deed.operation, await plane.committer.run(work))


@post(
    "/v1/devices/{label:str}/certificate",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_CERTIFIED),
    status_code=200,
    summary="Issue a client certificate for a phone",
)
async def certify(
    plane: GivenPlane,
    caller: GivenCaller,
    telephony: GivenTelephony,
    label: FromPath[Label],
    data: JSONBody[CertificateRequest],
) -> PhoneCertificate:
    device = await resolve.device(plane, label)
    async with plane.database.read() as connection:
        username = (await telephony.phones.identity(connection, device)).username
    identity = f"sip:{username}@{telephony.domain}"
    await plane.run(telephony.phones.certify, caller.deed, device, identity)
    made = await issued(telephony.certificate, identity, data.signing_request)
    return PhoneCertificate(
        operation=caller.deed.operation,
        identity=made.identity,
        serial=made.serial,
        expires=made.expires.isoformat(),
        port=telephony.certificate_port,
        chain_pem=made.chain_pem.decode(),
        key_pem=(made.key_pem or b"").decode(),
    )


@delete(
    "/v1/devices/{label:str}/certificate",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_CERTIFIED),
    status_code=200,
    summary="Let a phone's client certificate count no more",
)
async def withdraw_certificate(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, label: FromPath[Label]
) -> Changed:
    device = await resolve.device(plane, label)
    await plane.run(telephony.phones.certify, caller.deed, device, None)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/devices/{label:str}/emergency",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_EMERGENCY_SET),
    status_code=200,
    summary="Say whether a phone rings for emergency calls",
)
async def set_emergency(
    plane: GivenPlane,
    caller: GivenCaller,
    telephony: GivenTelephony,
    label: FromPath[Label],
    data: JSONBody[EmergencyDuty],
) -> Changed:
    device = await resolve.device(plane, label)
    await plane.run(telephony.phones.set_emergency, caller.deed, device, data.answers)
    return Changed(operation=caller.deed.operation)


@delete(
    "/v1/devices/{label:str}",
    opt=needs(Privilege.DEVICE_CHANGE, Action.DEVICE_REMOVED),
    status_code=200,
    summary="Remove a phone: its calls and connections end",
)
async def remove_device(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, label: FromPath[Label]
) -> Changed:
    device = await resolve.device(plane, label)

    async def work(unit: Unit) -> None:
        await plane.exceptions.close_all_of(unit, caller.deed, device, "phone removed")
        await telephony.phones.remove(unit, caller.deed, device)

    await plane.committer.run(work)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/devices/{label:str}/unlocking",
    opt=needs(Privilege.DEVICE_UNLOCK, Action.DEVICE_UNLOCKED),
    status_code=200,
    summary="Forget the failed log-ins of a phone",
)
async def unlock_device(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, label: FromPath[Label]
) -> Unlocked:
    device = await resolve.device(plane, label)

    async def work(unit: Unit) -> None:
        await plane.devices.facts(unit.connection, device)
        unit.record(caller.deed.entry(Action.DEVICE_UNLOCKED, Subject("device", device)))

    await plane.committer.run(work)
    return Unlocked(operation=caller.deed.operation, opened=telephony.lockout.unlock(device))


@get(
    "/v1/registrations",
    opt=needs(Privilege.DEVICE_READ, Action.REGISTRATION_LISTED),
    summary="The phones that can be reached now",
)
async def list_registrations(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony
) -> list[RegistrationView]:
    async def work(unit: Unit) -> dict[UUID, str]:
        rows = len(telephony.location)
        unit.record(caller.deed.entry(Action.REGISTRATION_LISTED, after={"count": rows}))
        return await plane.devices.labels(unit.connection)

    return registered(telephony, await plane.committer.run(work))


def registered(telephony: Telephony, labels: dict[UUID, str]) -> list[RegistrationView]:
    """The phones that can be reached now."""
    return [
        RegistrationView(
            device=row.device,
            label=labels.get(row.device, "test phone"),
            source=row.source,
            user_agent=row.user_agent,
            tls=row.tls,
            login=row.login,
            since=row.since,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
            signed_in=telephony.signed_in(row.device),
        )
        for row in telephony.registrations()
    ]


ROUTES = [
    rotate_secret,
    certify,
    withdraw_certificate,
    set_emergency,
    remove_device,
    unlock_device,
    list_registrations,
]
