"""What is written of a call: the snapshot that its worker keeps while it lives, and its record."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from media.client import LegStats
from pbx.b2bua.journey import Journey
from pbx.b2bua.leg import Leg
from pbx.b2bua.snapshot import CallSnapshot, JourneySnapshot, LegSnapshot, Resumed
from pbx.dialplan.plan import Route
from storage.calls import CallRecord, LegRecord, Parties, Receipt

if TYPE_CHECKING:
    from pbx.b2bua.call import Call

_ROUTES = {
    "RingPerson": "person",
    "RingGroup": "group",
    "PickUp": "pick-up",
    "Slot": "park",
    "LeaveMessage": "voicemail",
    "OwnMessages": "messages",
    "SetReach": "settings",
    "SignIn": "sign-in",
    "SignOut": "sign-out",
    "Echo": "echo",
    "Emergency": "emergency",
    "EmergencyTest": "emergency-test",
    "Refused": "refused",
}


def route_name(route: Route | Resumed | None) -> str:
    if isinstance(route, Resumed):
        return route.name
    return _ROUTES.get(type(route).__name__, "none")


def snapshot_of(call: Call) -> CallSnapshot:
    """The call as it is now."""
    return CallSnapshot(
        id=call.id,
        route=route_name(call.route),
        is_emergency=call.is_emergency,
        tenure=call.tenure,
        started_at=call.started_at,
        answered_at=call.caller.answered_at,
        caller_number=call.identity.number,
        caller_name=call.identity.name,
        dialled=call.caller.dialled,
        legs=tuple(map(_leg_snapshot_of, call.legs)),
        trunk=call.pairing.trunk,
        transfers=tuple(call.transfers),
        callee_name=call.callee_name,
        ended_at=call.ended_at,
        outcome=call.outcome,
        cause=call.cause,
        max_forwards=call.max_forwards,
        place=call.place,
        parked_by=call.parked_by,
        journey=_journey_of(call.journey) if call.journey else None,
        caller=None if call.caller in call.legs else _leg_snapshot_of(call.caller),
        given=tuple(call.given),
        exchange=call.around.run,
    )


def _journey_of(journey: Journey) -> JourneySnapshot:
    return JourneySnapshot(
        kind=journey.kind,
        by=journey.by.id,
        who=journey.who.id,
        number=journey.number,
        to=journey.to.id if journey.to else None,
        refer=journey.news.number,
        wants_news=journey.news.is_wanted,
    )


def _leg_snapshot_of(leg: Leg) -> LegSnapshot:
    return LegSnapshot(
        id=leg.id,
        role=leg.role,
        device=leg.device,
        person=leg.person,
        media=leg.media_name,
        dialog=leg.dialog.state if leg.dialog and not leg.is_ended else None,
        started_at=leg.started_at,
        answered_at=leg.answered_at,
        status=leg.status,
        is_held=leg.is_held,
        partner=leg.partner.id if leg.partner else None,
        phase=leg.phase.name.lower(),
        ended_at=leg.ended_at,
        contact=leg.contact,
        signalling=leg.signalling,
    )


def record_of(call: Call) -> CallRecord:
    """What is kept when the call is over."""
    return CallRecord(
        id=call.id,
        started_at=call.started_at,
        answered_at=call.caller.answered_at,
        ended_at=call.ended_at or max(call.clock(), call.started_at),
        route=route_name(call.route),
        outcome=call.outcome,
        cause=call.cause,
        is_emergency=call.is_emergency,
        caller_device=call.caller.device,
        caller_person=call.caller.person,
        callee_tenure=call.tenure,
        parties=Parties(
            caller_number=call.identity.number,
            caller_name=call.identity.name,
            dialled=call.caller.dialled,
            callee_name=call.callee_name,
            transfers=tuple(call.transfers),
        ),
        legs=(*(leg_record_of(leg, leg.stats, leg.id) for leg in call.legs), *call.given),
    )


def leg_record_of(leg: Leg, figures: LegStats | None, id: UUID) -> LegRecord:
    """What is kept of one leg, with its encryption receipt."""
    stats = figures or LegStats()
    return LegRecord(
        id=id,
        role=leg.role,
        device=leg.device,
        person=leg.person,
        started_at=leg.started_at,
        answered_at=leg.answered_at,
        ended_at=max(leg.ended_at or leg.call.clock(), leg.started_at),
        status=leg.status,
        receipt=Receipt(
            signalling=leg.signalling,
            keying=stats.keying,
            suite=stats.suite,
            codec=stats.codec,
            rekeys=stats.rekeys,
            received=stats.received,
            sent=stats.sent,
            refused=stats.unauthenticated + stats.replayed + stats.junk + stats.early,
            lost=stats.lost,
            lost_there=stats.lost_there,
            jitter_ms=stats.jitter_ms,
            round_trip_ms=stats.round_trip_ms,
            mos=stats.mos,
        ),
    )
