"""What the server half and the client half of a stack have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from pbx.sip.checks import Capabilities
from pbx.sip.deadlines import Deadlines
from pbx.sip.dialogs import Dialogs
from pbx.sip.doorkeeper import Doorkeeper, OpenDoor
from pbx.sip.events import Event, TransactionId
from pbx.sip.flows import FlowLimits, Flows
from pbx.sip.loops import LoopMark
from pbx.sip.session_clock import SessionPolicy
from pbx.sip.timers import Timers


@dataclass(frozen=True, slots=True, kw_only=True)
class StackConfig:
    """How a stack behaves; the defaults are the RFCs'."""

    timers: Timers = field(default_factory=Timers)
    limits: FlowLimits = field(default_factory=FlowLimits)
    capabilities: Capabilities = field(default_factory=Capabilities)
    session: SessionPolicy | None = field(default_factory=SessionPolicy)
    """None: sessions of ours never expire."""
    sent_by: str | None = None
    """host[:port] in our Via; None: the local address of the flow."""


class Shared:
    """One stack's tables."""

    __slots__ = (
        "config", "deadlines", "dialogs", "doorkeeper", "events", "flows", "loops", "serial",
    )  # fmt: skip

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.flows = Flows(config.limits)
        self.deadlines = Deadlines()
        self.events: list[Event] = []
        self.dialogs = Dialogs(self.deadlines, self.report)
        self.loops = LoopMark()
        self.doorkeeper: Doorkeeper = OpenDoor()
        self.serial = count(1)

    def report(self, event: Event) -> None:
        self.events.append(event)

    def new_id(self) -> TransactionId:
        return TransactionId(next(self.serial))
