"""Where what a phone asks for leads: a number by the plan, or the one phone that a GRUU names."""

from __future__ import annotations

from uuid import UUID

from pbx.dialplan import plan
from pbx.dialplan.parties import is_undisturbed
from pbx.directory import Directory
from pbx.gruu import Gruu


def to_instance(device: UUID, one: Gruu, directory: Directory, now: int) -> plan.Route:
    """That phone and no other one of its holder's (RFC 5627)."""
    if not directory.may_call(device):
        return plan.Refused(plan.Refusal.NOT_ALLOWED)
    entry = directory.by_username(one.user)
    held = directory.holder_of(entry.id) if entry is not None else None
    if entry is None or held is None:
        return plan.Refused(plan.Refusal.UNKNOWN_NUMBER)
    if is_undisturbed(held, directory, now):
        return plan.Refused(plan.Refusal.BUSY)
    most = held.reach.limit(now)
    return plan.RingPerson(
        held.extension, held.tenure, held.person, (entry.id,), one.instance, most_calls=most
    )
