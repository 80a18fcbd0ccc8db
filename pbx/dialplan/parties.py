"""What the plan reads of the directory: who holds a number, and which numbers are a group's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID


class Reach(Protocol):
    """What somebody has set: whether to be rung, how often at once, and where calls go else."""

    def is_undisturbed(self, now: int) -> bool: ...
    def target(self, when: str, now: int) -> UUID | None: ...
    def limit(self, now: int) -> int | None: ...


class Tenancy(Protocol):
    """Who holds an extension now."""

    @property
    def extension(self) -> UUID: ...
    @property
    def tenure(self) -> UUID: ...
    @property
    def person(self) -> UUID: ...
    @property
    def devices(self) -> tuple[UUID, ...]: ...
    @property
    def mailbox(self) -> UUID | None: ...
    @property
    def reach(self) -> Reach: ...


class Member(Protocol):
    """Somebody, or whoever holds an extension, who rings for a group."""

    @property
    def extension(self) -> UUID | None: ...
    @property
    def person(self) -> UUID | None: ...
    @property
    def delay(self) -> int: ...
    def is_over(self, now: int) -> bool: ...


class Group(Protocol):
    """A number at which several people are rung."""

    @property
    def id(self) -> UUID: ...
    @property
    def number(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def members(self) -> Sequence[Member]: ...
    @property
    def ring_seconds(self) -> int: ...
    @property
    def mailbox(self) -> UUID | None: ...
    @property
    def onward(self) -> UUID | None: ...
    def is_over(self, now: int) -> bool: ...


class Numbers(Protocol):
    """The directory."""

    @property
    def tenancies(self) -> Mapping[str, Tenancy]: ...
    @property
    def groups(self) -> Mapping[str, Group]: ...
    @property
    def emergency_devices(self) -> tuple[UUID, ...]: ...
    def may_call(self, device: UUID) -> bool:
        """Whether it calls inside now; for help it always does."""
        ...

    def holder_of(self, device: UUID) -> Tenancy | None:
        """Whose phone it is now."""
        ...

    def of_extension(self, extension: UUID) -> Tenancy | None:
        """Who holds it now."""
        ...

    def group_at(self, extension: UUID) -> Group | None:
        """The group whose number it is."""
        ...


def is_undisturbed(tenancy: Tenancy, numbers: Numbers, now: int) -> bool:
    """Whoever has a phone that rings for emergencies is always to be reached on it."""
    has_duty = not set(tenancy.devices).isdisjoint(numbers.emergency_devices)
    return tenancy.reach.is_undisturbed(now) and not has_duty
