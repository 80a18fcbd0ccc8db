"""Legs that go on in another call, and phones that are told who is at the other end now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from media.client import LegStats
from pbx.b2bua.events import Told
from pbx.b2bua.identity import shown_to
from pbx.b2bua.written import leg_record_of
from storage.identifiers import new_id

if TYPE_CHECKING:
    from pbx.b2bua.call import Call
    from pbx.b2bua.leg import Leg

TRANSFERRED = "transferred"


def give(donor: Call, legs: Sequence[Leg], to: Call, figures: Sequence[LegStats]) -> None:
    """These legs go on in another call; the donor is over for everybody else."""
    for leg, stats in zip(legs, figures, strict=True):
        donor.given.append(leg_record_of(leg, stats, new_id(donor.clock)))
        donor.pairing.parties.discard(leg)
        donor.members.remove(leg)
        leg.call = to
        donor.board.listeners.move(leg, donor, to)
        to.members.add(leg)
    donor.inbox.hand_over(legs, to)
    donor.ended_at, donor.cause = max(donor.clock(), donor.started_at), TRANSFERRED
    donor.tell(Told(None, TRANSFERRED))


def introduce(call: Call, leg: Leg, other: Leg) -> None:
    """Tell this leg's phone whom it hears now, as far as its place may show it."""
    place = call.directory.place_of(leg.device)
    leg.asking.show(shown_to(call.identity_of(other), place))


def picked_up(call: Call, leg: Leg, number: str, kind: str = "picked-up") -> None:
    """Another phone has answered for whoever was rung, or has taken the parked call."""
    held = call.directory.holder_of(leg.device)
    if held is not None and kind == "picked-up" and call.waiting is call.caller:
        call.tenure, call.callee_name = held.tenure, held.name
    call.transferred(kind, leg, call.waiting, number, 200)
    introduce(call, call.waiting, leg)
    introduce(call, leg, call.waiting)
