"""How long a flow may take over each thing, and who is cut when it takes longer."""

import asyncio
from collections.abc import Callable

from pbx.sip.flows import FlowId
from pbx.transport.config import SipConfig
from pbx.transport.flow import Ending
from pbx.transport.intervals import Interval

_SWEEP = 0.5  # seconds; how late a deadline may be noticed
_AT_ONCE = 64  # closings in one turn of the loop: thousands together would keep phones waiting
_BREATH = 0.01  # seconds until the next of them
_LAST_WORDS = 2.0  # seconds for a peer to take our last message and say goodbye


class Watch:
    """The intervals of all flows, looked through twice a second while there are flows."""

    def __init__(self, config: SipConfig, cut: Callable[[FlowId, Ending], None]) -> None:
        self.handshake: Interval[FlowId] = Interval(config.handshake_seconds)
        self.silence: Interval[FlowId] = Interval(config.first_message_seconds)
        self.login: Interval[FlowId] = Interval(config.login_seconds)
        self.partial: Interval[FlowId] = Interval(config.partial_message_seconds)
        self.unread: Interval[FlowId] = Interval(config.unread_seconds)
        self.goodbye: Interval[FlowId] = Interval(_LAST_WORDS)
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._endings = (
            (self.handshake, Ending.HANDSHAKE_LATE),
            (self.silence, Ending.SILENT),
            (self.login, Ending.NOT_LOGGED_IN),
            (self.partial, Ending.SLOW),
            (self.unread, Ending.NOT_READING),
            (self.goodbye, Ending.NOT_READING),
        )

    def accepted(self, flow_id: FlowId, now: float) -> None:
        self.begin(self.handshake, flow_id, now)

    def begin(self, interval: Interval[FlowId], flow_id: FlowId, now: float) -> None:
        """From now on somebody looks, also at phones that were long here."""
        interval.begin(flow_id, now)
        if self._timer is None:
            self._timer = self._loop.call_later(_SWEEP, self._sweep)

    def opened(self, flow_id: FlowId, now: float) -> None:
        self.handshake.end(flow_id)
        self.silence.begin(flow_id, now)
        self.login.begin(flow_id, now)

    def trusted(self, flow_id: FlowId) -> None:
        self.silence.end(flow_id)
        self.login.end(flow_id)

    def ending(self, flow_id: FlowId, now: float) -> None:
        for interval in (self.handshake, self.silence, self.login, self.partial):
            interval.end(flow_id)
        self.begin(self.goodbye, flow_id, now)

    def gone(self, flow_id: FlowId) -> None:
        self.unread.end(flow_id)
        self.goodbye.end(flow_id)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now, left = self._loop.time(), _AT_ONCE
        for interval, ending in self._endings:
            for flow_id in interval.overdue(now, left):
                self._cut(flow_id, ending)
                left -= 1
        if any(len(interval) for interval, _ in self._endings):
            self._timer = self._loop.call_later(_SWEEP if left else _BREATH, self._sweep)
