"""The location service: which device is behind which flow (RFC 3261 §10, RFC 5626).

Bindings live in memory. They name the node and the flow they came by, and they die with the
flow: nothing of ours is ever sent to the address a Contact claims. They belong to a device's
identity, so two phones on one machine never evict each other whatever instance they claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from pbx.sip.deadlines import Deadlines
from pbx.sip.flows import FlowId


class Binding(Struct, frozen=True, kw_only=True, gc=False):
    """One Contact of a device."""

    device: str
    node: str
    flow: FlowId
    uri: str
    """The Contact's URI as the phone wrote it."""
    parameters: str = ""
    """Its parameters as written, without expires."""
    q: float = 1.0
    instance: str | None = None
    reg_id: int | None = None
    """With an instance: RFC 5626 outbound."""
    path: tuple[str, ...] = ()
    """The way to it through somebody's edge (RFC 3327)."""
    call_id: str
    cseq: int
    expires_at: float
    since: float
    """When it was first made; refreshing keeps it."""
    seen: float
    """When it was made or refreshed last."""
    source: str = ""
    user_agent: str = ""


class Cause(Enum):
    """Why a binding ended."""

    UNREGISTERED = "unregistered"
    EXPIRED = "expired"
    FLOW_LOST = "flow lost"
    REPLACED = "replaced"
    EVICTED = "evicted"
    REMOVED = "device removed"


class Bound(Struct, frozen=True):
    """A binding was made or refreshed."""

    binding: Binding
    is_new: bool
    """Or on another flow than before: what was sent to the old one may be lost."""
    is_first: bool
    """The device had no binding before: a registration started."""


class Unbound(Struct, frozen=True):
    """A binding ended."""

    binding: Binding
    cause: Cause
    is_last: bool
    """The device has no binding any more: a registration ended."""


Change = Bound | Unbound


class Location:
    """All bindings of this node."""

    __slots__ = ("_by_device", "_by_flow", "_deadlines", "_expired", "_newest_flow", "_newest_on")

    def __init__(self) -> None:
        self._by_device: dict[str, list[_Entry]] = {}
        self._by_flow: dict[FlowId, list[_Entry]] = {}
        self._newest_flow: dict[str, FlowId] = {}
        self._newest_on: dict[FlowId, set[str]] = {}
        self._deadlines = Deadlines()
        self._expired: list[Unbound] = []

    def __len__(self) -> int:
        return sum(map(len, self._by_device.values()))

    def __iter__(self) -> Iterator[Binding]:
        for entries in self._by_device.values():
            for entry in entries:
                yield entry.binding

    def bindings_of(self, device: str) -> list[Binding]:
        """The device's bindings, the preferred ones first, the latest first among equals."""
        bindings = [entry.binding for entry in self._by_device.get(device, ())]
        return sorted(bindings, key=lambda b: (-b.q, -b.seen)) if len(bindings) > 1 else bindings

    def flow_of(self, device: str) -> FlowId | None:
        """The flow on which the device proved itself last: in-dialog requests go there."""
        return self._newest_flow.get(device)

    def flow_proved(self, device: str, flow: FlowId) -> None:
        """The device authenticated a request on this flow."""
        self._newest(device, flow)

    def bind(self, binding: Binding, old: Binding | None = None) -> Bound:
        """Make a binding, or put it in the place of `old`, which is the same Contact."""
        entries = self._by_device.setdefault(binding.device, [])
        is_first = not entries
        entry = self._entry_of(old) if old is not None else None
        is_new = entry is None or entry.binding.flow != binding.flow
        if entry is None:
            entry = _Entry(binding, self._ring)
            entries.append(entry)
        else:
            if entry.binding.flow != binding.flow:
                self._leave_flow(entry)
            if binding.since != entry.binding.since:
                binding = replace(binding, since=entry.binding.since)
            entry.binding = binding
        on_flow = self._by_flow.setdefault(binding.flow, [])
        if entry not in on_flow:
            on_flow.append(entry)
        self._newest(binding.device, binding.flow)
        self._deadlines.changed(entry)
        return Bound(binding, is_new, is_first)

    def unbind(self, binding: Binding, cause: Cause) -> list[Unbound]:
        """End a binding; nothing happens if it has ended already."""
        entry = self._entry_of(binding)
        return [] if entry is None else [self._end(entry, cause)]

    def flow_lost(self, flow: FlowId) -> list[Unbound]:
        """The flow closed: what was bound to it is gone (RFC 5626 §5.3)."""
        changes = [self._end(e, Cause.FLOW_LOST) for e in list(self._by_flow.get(flow, ()))]
        # A device may have proved itself here without a binding: a call by another flow.
        for device in self._newest_on.pop(flow, ()):
            if self._newest_flow.get(device) == flow:
                self._fall_back(device)
        return changes

    def device_removed(self, device: str) -> list[Unbound]:
        """The device may no longer register."""
        entries = list(self._by_device.get(device, ()))
        self._leave_newest(device)
        return [self._end(entry, Cause.REMOVED) for entry in entries]

    def next_deadline(self) -> float | None:
        """When the next binding expires."""
        return self._deadlines.next()

    def expire(self, now: float) -> list[Unbound]:
        """End the bindings whose time is over."""
        self._deadlines.expire(now)
        expired, self._expired = self._expired, []
        return expired

    def _ring(self, entry: _Entry) -> None:
        self._expired.append(self._end(entry, Cause.EXPIRED))

    def _entry_of(self, binding: Binding) -> _Entry | None:
        for entry in self._by_device.get(binding.device, ()):
            if entry.binding is binding:
                return entry
        return None

    def _end(self, entry: _Entry, cause: Cause) -> Unbound:
        binding = entry.binding
        entries = self._by_device[binding.device]
        entries.remove(entry)
        if not entries:
            del self._by_device[binding.device]
        self._leave_flow(entry)
        entry.is_over = True
        self._deadlines.changed(entry)
        return Unbound(binding, cause, not entries)

    def _leave_flow(self, entry: _Entry) -> None:
        flow = entry.binding.flow
        on_flow = self._by_flow[flow]
        on_flow.remove(entry)
        if not on_flow:
            del self._by_flow[flow]

    def _newest(self, device: str, flow: FlowId) -> None:
        if self._newest_flow.get(device) != flow:
            self._leave_newest(device)
            self._newest_flow[device] = flow
            self._newest_on.setdefault(flow, set()).add(device)

    def _leave_newest(self, device: str) -> None:
        flow = self._newest_flow.pop(device, None)
        devices = self._newest_on.get(flow) if flow is not None else None
        if flow is not None and devices is not None:
            devices.discard(device)
            if not devices:
                del self._newest_on[flow]

    def _fall_back(self, device: str) -> None:
        """The newest flow is gone; the latest binding that is left says which one is next."""
        left = [entry.binding for entry in self._by_device.get(device, ())]
        if left:
            self._newest(device, max(left, key=lambda b: b.seen).flow)
        else:
            del self._newest_flow[device]


class _Entry:
    """Where a binding is kept; it waits to expire."""

    __slots__ = ("_expire", "binding", "is_over")

    def __init__(self, binding: Binding, expire: Callable[[_Entry], None]) -> None:
        self.binding = binding
        self.is_over = False
        self._expire = expire

    @property
    def deadline(self) -> float | None:
        return None if self.is_over else self.binding.expires_at

    def ring(self, now: float) -> None:
        self._expire(self)
