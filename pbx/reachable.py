"""Where phones can be reached, as calls use the location service."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pbx.access.authenticate import Admitted
from pbx.b2bua.ports import Contact
from pbx.location import Location
from pbx.sip.flows import FlowId

MOST_FLOWS = 16
"""Connections of one device: as many as it may have contacts. A phone has one, and for a minute
those that it lost; one that opens more would take the room of all others."""


class RegisteredPhones:
    """The location service, as calls use it."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._proved: dict[FlowId, Admitted] = {}
        self._flows: dict[UUID, dict[FlowId, None]] = {}
        """Of each device, those on which it was the last to prove itself; the oldest first."""

    def contacts_of(self, device: UUID) -> Sequence[Contact]:
        return [
            Contact(binding.flow, binding.uri, binding.path, binding.instance)
            for binding in self._location.bindings_of(str(device))
        ]

    def flow_of(self, device: UUID, held: FlowId) -> FlowId:
        """`held` while the device is registered there (it may be one phone of several with this
        identity); else the newest flow on which the device has proved itself."""
        if self.is_bound(device, held):
            return held
        newest = self._location.flow_of(str(device))
        if newest is not None and newest in self._proved:
            return newest
        if held in self._proved:
            return held
        return max(self.flows_of(device), default=held)  # the one that was opened last

    def authentication_of(self, flow: FlowId) -> str:
        proved = self._proved.get(flow)
        return proved.how if proved else ""

    def proved(self, flow: FlowId) -> Admitted | None:
        """Who has proved themselves on this flow, last."""
        return self._proved.get(flow)

    def prove(self, flow: FlowId, admitted: Admitted) -> FlowId | None:
        """It has on this flow; returns the one that is too many, if there is one."""
        if self._proved.get(flow) == admitted:
            return None
        self.lost(flow)
        self._proved[flow] = admitted
        theirs = self._flows.setdefault(admitted.device, {})
        theirs[flow] = None
        self._location.flow_proved(str(admitted.device), flow)
        return self._surplus(admitted.device, theirs) if len(theirs) > MOST_FLOWS else None

    def _surplus(self, device: UUID, theirs: dict[FlowId, None]) -> FlowId:
        """The oldest, but first of all one on which it is not registered; counted no more."""
        *older, _ = theirs
        unbound = (flow for flow in older if not self.is_bound(device, flow))
        surplus = next(unbound, older[0])
        del theirs[surplus]
        return surplus

    def lost(self, flow: FlowId) -> None:
        proved = self._proved.pop(flow, None)
        if proved is not None:
            theirs = self._flows.get(proved.device, {})
            theirs.pop(flow, None)
            if not theirs:
                self._flows.pop(proved.device, None)

    def flows_of(self, device: UUID) -> list[FlowId]:
        """Flows on which the device has proved itself."""
        return list(self._flows.get(device, ()))

    def is_bound(self, device: UUID, flow: FlowId) -> bool:
        """Whether the device has a live binding on this flow."""
        return any(b.flow == flow for b in self._location.bindings_of(str(device)))
