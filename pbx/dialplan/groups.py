"""Ring groups: who rings for a group's number, in which order, and who may pick up for whom."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pbx.dialplan.parties import Group, Member, Numbers, Tenancy, is_undisturbed

ALL, IN_ORDER, BY_ROUND = "all", "in-order", "by-round"
"""All at once; one after another; one after another, each call beginning with the next one."""

ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Turn:
    """One member's phones."""

    position: int
    """Among all members, also those that are not rung now."""
    person: UUID
    devices: tuple[UUID, ...]
    delay: int
    """Seconds before they ring: after the call came (all), or after the one before gave up."""
    most_calls: int | None = None


@dataclass(frozen=True, slots=True)
class RingGroup:
    """Ring the members of a group who are to be reached."""

    group: UUID
    name: str
    strategy: str
    turns: tuple[Turn, ...]
    ring_seconds: int
    via: tuple[UUID, ...] = ()
    """The extensions and groups that sent the call on, the one that was dialled first."""

    def order(self, last: int) -> tuple[Turn, ...]:
        """Who rings first, and then; by round: whoever stands behind the position `last`."""
        if self.strategy != BY_ROUND:
            return self.turns
        return tuple(sorted(self.turns, key=lambda turn: (turn.position <= last, turn.position)))


def ring_group(
    caller: UUID, group: Group, numbers: Numbers, now: int, via: tuple[UUID, ...]
) -> RingGroup | None:
    """None: nobody in it is to be rung. A member's own forwards are not followed: a call to the
    group stays with the group."""
    turns = () if group.is_over(now) else _turns(caller, group, numbers, now)
    if not turns:
        return None
    return RingGroup(group.id, group.name, group.strategy, turns, group.ring_seconds, via)


def may_pick_up(caller: UUID, target: UUID, numbers: Numbers, now: int) -> bool:
    """A call that rings at `target` (an extension or a group) may be answered by whoever is in a
    group with them, or is the same person."""
    here = numbers.holder_of(caller)
    if here is None:
        return False
    there = numbers.of_extension(target)
    if there is not None and there.person == here.person:
        return True
    return any(
        _includes(group, here, now)
        and (group.id == target or (there is not None and _includes(group, there, now)))
        for group in numbers.groups.values()
        if not group.is_over(now)
    )


def _turns(caller: UUID, group: Group, numbers: Numbers, now: int) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    rung: set[UUID] = {caller}
    for position, member in enumerate(group.members):
        held = () if member.is_over(now) else _held(member, numbers)
        reached = [tenancy for tenancy in held if _is_reached(tenancy, numbers, now)]
        devices = tuple(d for tenancy in reached for d in tenancy.devices if d not in rung)
        if devices:
            rung.update(devices)
            limit = reached[0].reach.limit(now)
            turns.append(Turn(position, reached[0].person, devices, member.delay, limit))
    return tuple(turns)


def _held(member: Member, numbers: Numbers) -> tuple[Tenancy, ...]:
    if member.extension is not None:
        tenancy = numbers.of_extension(member.extension)
        return () if tenancy is None else (tenancy,)
    held = numbers.tenancies.values()
    return tuple(tenancy for tenancy in held if tenancy.person == member.person)


def _is_reached(tenancy: Tenancy, numbers: Numbers, now: int) -> bool:
    """Not who is not to be disturbed, nor who has sent all calls elsewhere."""
    return not is_undisturbed(tenancy, numbers, now) and tenancy.reach.target(ALWAYS, now) is None


def _is(member: Member, tenancy: Tenancy) -> bool:
    if member.extension is not None:
        return tenancy.extension == member.extension
    return tenancy.person == member.person


def _includes(group: Group, tenancy: Tenancy, now: int) -> bool:
    return any(_is(member, tenancy) and not member.is_over(now) for member in group.members)
