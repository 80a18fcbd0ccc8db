"""Calls: those that are up, those that are over, and who spoke with whom.

A record is read in two steps. The encryption receipt names phones and no number; numbers and names
take a privilege and a ledger row of their own, and after the hour the key holder's word
(45 CFR 164.502(b): the minimum necessary).
"""

from typing import Any
from uuid import UUID

from litestar import delete, get
from litestar.params import FromPath, FromQuery

from pbx.access.errors import Denied
from pbx.access.roles import Privilege
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.calls import (
    CallSummary,
    CallView,
    HungUp,
    LegView,
    LiveCall,
    PartiesView,
)
from pbx.telephony import Telephony
from storage import calls
from storage.calls import CallRecord, Parties, SealedCall
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.records import PURPOSE
from storage.sealed.fields import FieldKey

TEST_PHONE = "test phone"
MOST = 500
"""Calls on one page, however many were asked for."""


@get(
    "/v1/calls",
    opt=needs(Privilege.CALL_WATCH, Action.CALL_LISTED),
    summary="The calls that are up",
)
async def live_calls(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony
) -> list[LiveCall]:
    async def work(unit: Unit) -> dict[UUID, str]:
        after = {"live": len(telephony.calls)}
        unit.record(caller.deed.entry(Action.CALL_LISTED, after=after))
        return await plane.devices.labels(unit.connection)

    return live(telephony, await plane.committer.run(work))


@get(
    "/v1/call-records",
    opt=needs(Privilege.CALL_READ, Action.CALL_LISTED),
    summary="Calls that are over, newest first; no number, no name",
)
async def list_calls(
    plane: GivenPlane,
    caller: GivenCaller,
    before: FromQuery[UUID | None] = None,
    limit: FromQuery[int] = 50,
) -> list[CallSummary]:
    page = min(max(limit, 1), MOST)

    async def work(unit: Unit) -> list[CallSummary]:
        found = await calls.recent(unit.connection, before=before, limit=page)
        unit.record(caller.deed.entry(Action.CALL_LISTED, after={"count": len(found)}))
        return [CallSummary(**_summary(sealed.opened(None))) for sealed in found]

    return await plane.committer.run(work)


@get(
    "/v1/call-records/{call:uuid}",
    opt=needs(Privilege.CALL_READ, Action.CALL_READ),
    summary="One call with the encryption receipt of each leg; no number, no name",
)
async def show_call(plane: GivenPlane, caller: GivenCaller, call: FromPath[UUID]) -> CallView:
    async def work(unit: Unit) -> CallView:
        sealed = await calls.read(unit.connection, call)
        unit.record(caller.deed.entry(Action.CALL_READ, Subject("call", call)))
        return view(sealed.opened(None), await plane.devices.labels(unit.connection))

    return await plane.committer.run(work)


@get(
    "/v1/call-records/{call:uuid}/parties",
    opt=needs(Privilege.CALL_PARTIES, Action.CALL_PARTIES_READ),
    summary="Who spoke with whom in one call",
)
async def show_parties(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, call: FromPath[UUID]
) -> PartiesView:
    async with plane.database.read() as connection:
        sealed = await calls.read(connection, call)
    key = await _key_of(plane, caller, telephony, sealed)

    async def work(unit: Unit) -> Parties | None:
        unit.record(caller.deed.entry(Action.CALL_PARTIES_READ, Subject("call", call)))
        return None if key is None else sealed.opened(key).parties

    return PartiesView(call=call, parties=await plane.committer.run(work))


@delete(
    "/v1/calls/{call:uuid}",
    opt=needs(Privilege.CALL_HANG_UP, Action.CALL_HUNG_UP),
    status_code=200,
    summary="Hang up a call; one that is over already stays over",
)
async def hang_up(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, call: FromPath[UUID]
) -> HungUp:
    if telephony.calls.is_emergency(call):
        raise Denied("an emergency call is ended by its phones alone")

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.CALL_HUNG_UP, Subject("call", call)))

    await plane.committer.run(work)
    was_live = telephony.calls.hang_up(call, "administrator")
    return HungUp(operation=caller.deed.operation, was_live=was_live)


async def _key_of(
    plane: Plane, caller: Caller, telephony: Telephony, sealed: SealedCall
) -> FieldKey | None:
    """The key of the call's hour: held in memory for this hour, else the key holder's to open."""
    id = sealed.records_key
    if id is None or (held := telephony.keys.held(id)) is not None:
        return None if id is None else held
    evidence = await plane.intend(
        caller.deed, Action.CALL_PARTIES_READ, Subject("call", sealed.row.id)
    )
    async with plane.database.read() as connection:
        wrapped, sealed_to = await calls.sealed_key(connection, id)
    key = await plane.keyholder.open_records_key(caller.handle, sealed_to, wrapped, evidence)
    return FieldKey(key, PURPOSE)


def live(telephony: Telephony, labels: dict[UUID, str]) -> list[LiveCall]:
    """The calls that are up; no number, no name of a person."""
    return [
        LiveCall(
            id=row.id,
            route=row.route,
            state=row.state,
            started_at=row.started_at,
            answered_at=row.answered_at,
            phones=tuple(labels.get(device, TEST_PHONE) for device in row.devices),
        )
        for row in telephony.calls.snapshot()
    ]


def view(record: CallRecord, labels: dict[UUID, str]) -> CallView:
    """What is shown of a call; never its parties."""
    return CallView(
        **_summary(record),
        legs=tuple(
            LegView(
                role=leg.role,
                device=leg.device,
                phone=labels.get(leg.device, TEST_PHONE),
                person=leg.person,
                answered_at=leg.answered_at,
                ended_at=leg.ended_at,
                status=leg.status,
                receipt=leg.receipt,
            )
            for leg in record.legs
        ),
    )


def _summary(record: CallRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "started_at": record.started_at,
        "answered_at": record.answered_at,
        "ended_at": record.ended_at,
        "route": record.route,
        "outcome": record.outcome,
        "cause": record.cause,
        "is_emergency": record.is_emergency,
    }


ROUTES = [live_calls, list_calls, show_call, show_parties, hang_up]
