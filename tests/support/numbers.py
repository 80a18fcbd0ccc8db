"""A directory as the dial plan reads it, written down by a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from storage.groups import Member
from storage.reach import UNSET, Reach


@dataclass(frozen=True)
class Holder:
    """Somebody with a number."""

    devices: tuple[UUID, ...] = field(default_factory=lambda: (uuid4(),))
    mailbox: UUID | None = None
    reach: Reach = UNSET
    extension: UUID = field(default_factory=uuid4)
    tenure: UUID = field(default_factory=uuid4)
    person: UUID = field(default_factory=uuid4)


@dataclass(frozen=True)
class Ring:
    """A group with a number."""

    number: str
    members: tuple[Member, ...] = ()
    strategy: str = "all"
    name: str = "Desk"
    ring_seconds: int = 20
    mailbox: UUID | None = None
    onward: UUID | None = None
    until: int | None = None
    id: UUID = field(default_factory=uuid4)

    def is_over(self, now: int) -> bool:
        return self.until is not None and self.until <= now


@dataclass(frozen=True)
class Plan:
    """Who holds which number."""

    tenancies: Mapping[str, Holder]
    emergency_devices: tuple[UUID, ...] = ()
    groups: Mapping[str, Ring] = field(default_factory=dict)
    silent: tuple[UUID, ...] = ()
    """Shared phones with nobody signed in, where that may not call."""

    def may_call(self, device: UUID) -> bool:
        return device not in self.silent

    def holder_of(self, device: UUID) -> Holder | None:
        held = self.tenancies.values()
        return next((holder for holder in held if device in holder.devices), None)

    def of_extension(self, extension: UUID) -> Holder | None:
        return next((h for h in self.tenancies.values() if h.extension == extension), None)

    def group_at(self, extension: UUID) -> Ring | None:
        return next((ring for ring in self.groups.values() if ring.id == extension), None)


def plan_of(holders: Mapping[str, Holder], *rings: Ring) -> Plan:
    return Plan(holders, groups={ring.number: ring for ring in rings})
