"""Failures that anybody can cause, counted so that they cannot fill the disk (pure).

The first of each kind in a window stand alone; what follows is one number, reported when the
report is due. Nothing is lost but the order. All kinds together have a limit too, and beyond a
number of kinds the rest is one kind, so that many sources do not help an attacker.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

SECOND = 1_000_000
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodLimits:
    """How much may stand alone; times are microseconds."""

    alone: int = 10
    """Of one kind, in a window."""
    altogether: int = 500
    """Of all kinds, in a window."""
    kinds: int = 200
    window: int = 600 * SECOND
    report: int = 60 * SECOND
    """How long a count waits at most before it is reported."""


@dataclass(frozen=True, slots=True)
class Counted(Generic[Kind]):
    """What did not stand alone."""

    kind: Kind
    count: int
    first_at: int
    last_at: int

    @property
    def number(self) -> dict[str, int]:
        """What its row says instead of so many rows."""
        return {"count": self.count, "first": self.first_at, "last": self.last_at}


class Floods(Generic[Kind]):
    """`rest` is the kind of everything beyond the number of kinds."""

    def __init__(self, rest: Callable[[Kind], Kind], limits: FloodLimits | None = None) -> None:
        self._rest = rest
        self._limits = limits or FloodLimits()
        self._began = 0
        self._altogether = 0
        self._alone: dict[Kind, int] = {}
        self._waiting: dict[Kind, Counted[Kind]] = {}

    def is_flooded(self, kind: Kind, now: int) -> bool:
        """Whether another failure of this kind would not stand alone."""
        self._turn(now)
        alone = self._alone.get(self._known(kind), 0)
        return alone >= self._limits.alone or self._altogether >= self._limits.altogether

    def stands_alone(self, kind: Kind, now: int) -> bool:
        """Counts a failure; True if it deserves a row of its own."""
        flooded = self.is_flooded(kind, now)
        kind = self._known(kind)
        if not flooded:
            self._alone[kind] = self._alone.get(kind, 0) + 1
            self._altogether += 1
            return True
        before = self._waiting.get(kind, Counted(kind, 0, now, now))
        self._waiting[kind] = Counted(kind, before.count + 1, before.first_at, now)
        self._alone.setdefault(kind, 0)
        return False

    def due(self, now: int, *, all_: bool = False) -> list[Counted[Kind]]:
        """Takes the counts that have waited long enough; all of them, at the end."""
        ready = [
            counted
            for counted in self._waiting.values()
            if all_ or now >= counted.first_at + self._limits.report
        ]
        for counted in ready:
            del self._waiting[counted.kind]
        return ready

    def _known(self, kind: Kind) -> Kind:
        if kind in self._alone or len(self._alone) < self._limits.kinds:
            return kind
        return self._rest(kind)

    def _turn(self, now: int) -> None:
        """A new window; a clock that runs backwards begins none."""
        if now >= self._began + self._limits.window:
            self._began, self._altogether = now, 0
            self._alone = dict.fromkeys(self._waiting, 0)


def network_of(source: str) -> str:
    """One IPv6 subscriber has a /64 of addresses (RFC 6177), an IPv4 one has one."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is not None:
        return str(getattr(address, "ipv4_mapped", None) or address)
    return str(IPv6Address(int(address) >> 64 << 64))
