"""The one module that knows both the stack and the loop (flows on one side, messages on the other).

After every input it settles, always in this order: what the stack wants written, what it has to
tell, when it wants to be woken.
"""

import asyncio
import itertools
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from cryptography import x509

from certs.diagnose import Cause
from certs.names import identity_of
from pbx.sip.events import Event
from pbx.sip.flows import Endpoint, FlowFacts, FlowId
from pbx.transport.admission import Admission, Memory, address_key
from pbx.transport.channel import Channel
from pbx.transport.config import SipConfig
from pbx.transport.contract import Stack
from pbx.transport.endings import Endings
from pbx.transport.flow import Ending, Flow, Origin, State
from pbx.transport.framing import PONG, Frames, Limits
from pbx.transport.listener import Listener
from pbx.transport.waiting_room import WaitingRoom
from pbx.transport.watch import Watch

_log = structlog.get_logger()

Deliver = Callable[[Event], None]
"""Starts or wakes whoever the event is for; runs nothing that waits."""


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow, for an operator's table."""

    id: FlowId
    peer: Endpoint
    listener: str
    state: str
    trusted: bool
    messages: int
    held: int


@dataclass(slots=True)
class _Ours:
    """The origin of a connection that we made."""

    name: str
    demands_certificate: bool = False


class Driver:
    """Flows, their limits and deadlines, and the stack they feed."""

    def __init__(
        self,
        stack: Stack,
        config: SipConfig,
        deliver: Deliver,
        advertise: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`advertise`: what peers know our local addresses as, where that is something else."""
        self.admission = Admission(config)
        self.memory = Memory(config.max_buffered_bytes)
        self.endings = Endings()
        self.room = WaitingRoom()
        self._stack = stack
        self._config = config
        self._deliver = deliver
        self._advertise = advertise
        self._limits = Limits(config.max_head_bytes, config.max_body_bytes)
        self._loop = asyncio.get_running_loop()
        self.flows: dict[FlowId, Flow] = {}
        self._identities: dict[str, set[FlowId]] = {}
        self._ids = itertools.count(1)
        self._watch = Watch(config, self._cut)
        self._settling = False
        self._wakeup: asyncio.TimerHandle | None = None
        self._poked = False
        self._all_gone = asyncio.Event()

    # -- for the service: listeners, log-ins, ends ------------------------------------------------

    def listener(self, name: str, context: ssl.SSLContext) -> Listener:
        """A listener whose connections come here; it is opened and closed by the caller."""
        return Listener(name, context, self._accepted)

    def adopt(self, connection: Channel, name: str) -> FlowId:
        """A connection of ours, to a peer whose certificate was checked, becomes a flow."""
        flow = self._flow(connection, connection.getpeername()[:2], _Ours(name))
        flow.start_open()
        self.authenticated(flow.id)
        return flow.id

    def authenticated(self, flow_id: FlowId) -> None:
        """Somebody proved on this flow who they are; it is a stranger no longer."""
        flow = self.flows.get(flow_id)
        if flow is None or flow.trusted or flow.state is not State.OPEN:
            return
        flow.trust()
        self.admission.trust(flow_id, flow.key)
        self._watch.trusted(flow_id)
        self._stack.flow_authenticated(flow_id)

    def close(self, flow_id: FlowId, ending: Ending = Ending.WITHDRAWN) -> None:
        """Let a flow finish its last message and go."""
        flow = self.flows.get(flow_id)
        if flow is not None:
            flow.close(ending)

    def close_surplus(self, flow_id: FlowId) -> None:
        """Its device has newer ones; not from inside what the stack is doing."""
        self._loop.call_soon(self.close, flow_id, Ending.SURPLUS)

    def close_identity(self, identity: str) -> int:
        """End the flows of a certificate that was revoked; how many there were."""
        flows = list(self._identities.get(identity, ()))
        for flow_id in flows:
            self.close(flow_id)
        return len(flows)

    def poke(self) -> None:
        """The stack was given something from outside: settle before the loop sleeps again."""
        if not (self._poked or self._settling):  # settling goes on until nothing is left
            self._poked = True
            self._loop.call_soon(self._poked_settle)

    def snapshot(self) -> list[FlowRow]:
        return [
            FlowRow(f.id, f.peer, f.listener, f.state.value, f.trusted, f.messages, f.held)
            for f in self.flows.values()
        ]

    async def stop(self) -> None:
        """Say goodbye on every flow; returns when all sockets are closed (listeners first)."""
        self._all_gone.clear()
        for flow in list(self.flows.values()):
            flow.close(Ending.STOPPING)
        if self.flows:
            await self._all_gone.wait()
        self._watch.stop()
        if self._wakeup is not None:
            self._wakeup.cancel()
            self._wakeup = None

    # -- from the flows ---------------------------------------------------------------------------

    def flow_waits(self, flow: Flow) -> None:
        self.admission.waits(flow.id)

    def flow_heard(self, flow: Flow) -> None:
        self.admission.heard(flow.id, self._loop.time())

    def flow_opened(self, flow: Flow) -> None:
        facts = _facts(flow, self._advertise)
        if flow.demands_certificate and facts.certificate is None:
            flow.cut(Ending.NO_IDENTITY)
            return
        self._watch.opened(flow.id, self._loop.time())
        if facts.certificate is not None:
            flow.identity = facts.certificate
            self._identities.setdefault(facts.certificate, set()).add(flow.id)
        flow.known = True
        self._stack.flow_opened(flow.id, facts)

    def flow_received(self, flow: Flow, frames: Frames) -> None:
        now = self._loop.time()
        if frames.pings:
            flow.write(PONG * frames.pings)
        try:
            ending = self._receive(flow, frames, now)
        except Exception:  # noqa: BLE001  # the flow is where a fault of ours ends
            _log.exception("a message met a fault of ours", listener=flow.listener)
            ending = Ending.FAULT
        self._settle()
        if ending is not None:
            flow.close(ending)
        elif flow.is_amid_message and flow.state is State.OPEN:
            self._watch.begin(self._watch.partial, flow.id, now)
        else:
            self._watch.partial.end(flow.id)

    def flow_held(self, flow: Flow, change: int) -> None:
        if not self.memory.take(change, trusted=flow.trusted):
            flow.cut(Ending.TOO_MUCH)
        elif flow.unsent > self._config.max_unsent_bytes:
            flow.cut(Ending.NOT_READING)
        elif flow.unsent:
            self._watch.begin(self._watch.unread, flow.id, self._loop.time())
        else:
            self._watch.unread.end(flow.id)

    def flow_ending(self, flow: Flow, ending: Ending, cause: Cause | None) -> None:
        now = self._loop.time()
        if ending is Ending.PEER_LEFT and flow.known and not flow.messages:
            ending = Ending.LEFT_UNHEARD  # PJSIP shakes hands first and judges afterwards
        self.endings.add(ending, cause, now)
        self._watch.ending(flow.id, now)
        if flow.identity is not None:
            self._forget_identity(flow.identity, flow.id)
        if flow.known:
            self._stack.flow_closed(flow.id, now)
            self._settle()

    def flow_gone(self, flow: Flow) -> None:
        self._watch.gone(flow.id)
        del self.flows[flow.id]
        self.memory.take(-flow.held, trusted=flow.trusted)
        self.admission.release(flow.id, flow.key)
        if not self.flows:
            self._all_gone.set()

    # -- within -----------------------------------------------------------------------------------

    def _accepted(self, plain: socket.socket, peer: Endpoint, listener: Listener) -> None:
        key, now = address_key(peer[0]), self._loop.time()
        if not self._make_room(key, now):
            self.admission.refused += 1
            plain.close()
            return
        try:
            connection = listener.wrap(plain)
        except (OSError, ValueError):  # it left between accept and here
            plain.close()
            return
        flow = self._flow(connection, peer, listener)
        self._watch.accepted(flow.id, now)
        flow.start()

    def _flow(self, connection: Channel, peer: Endpoint, origin: Origin) -> Flow:
        number, limits = FlowId(next(self._ids)), self._limits
        flow = Flow(number, connection, peer, origin, self, limits, self.room)
        self.flows[flow.id] = flow
        self.admission.admit(flow.id, flow.key, self._loop.time())
        return flow

    def _make_room(self, key: str, now: float) -> bool:
        if not self.admission.has_room(key):
            longest = self.admission.longest_stranger(key, now)
            if longest is not None:
                self._cut(longest, Ending.CROWDED_OUT)
        return self.admission.has_room(key)

    def _receive(self, flow: Flow, frames: Frames, now: float) -> Ending | None:
        """Hand the messages to the stack; why the flow must end, if it must."""
        for message in frames.messages:
            flow.messages += 1
            if not flow.trusted and flow.messages > self._config.max_messages_before_login:
                return Ending.NOT_LOGGED_IN
            self._watch.silence.end(flow.id)
            self._stack.receive(flow.id, message, now)
        return None if frames.fault is None else Ending.MALFORMED

    def _settle(self) -> None:
        if self._settling:  # a write or an event came back here; the outer call goes on
            return
        self._settling = True
        try:
            while True:
                outgoing, events = self._stack.outgoing(), self._stack.events()
                if not outgoing and not events:
                    break
                self._write(outgoing)
                for event in events:
                    self._tell(event)
        finally:
            self._settling = False
        self._arm(self._stack.next_deadline())

    def _write(self, outgoing: list[tuple[FlowId, bytes]]) -> None:
        if len(outgoing) > 1:  # what goes to one flow goes in one TLS record
            together: dict[FlowId, bytes] = {}
            for flow_id, data in outgoing:
                together[flow_id] = together.get(flow_id, b"") + data
            outgoing = list(together.items())
        for flow_id, data in outgoing:
            flow = self.flows.get(flow_id)
            if flow is not None:
                flow.write(data)

    def _tell(self, event: Event) -> None:
        try:
            self._deliver(event)
        except Exception:  # noqa: BLE001  # one event's fault must not lose the next
            _log.exception("an event met a fault of ours", kind=type(event).__name__)

    def _poked_settle(self) -> None:
        self._poked = False
        self._settle()

    def _arm(self, deadline: float | None) -> None:
        if deadline is None or (self._wakeup is not None and self._wakeup.when() <= deadline):
            return  # a wake-up that comes early arms the next
        if self._wakeup is not None:
            self._wakeup.cancel()
        self._wakeup = self._loop.call_at(deadline, self._wake)

    def _wake(self) -> None:
        self._wakeup = None
        self._stack.expire(self._loop.time())
        self._settle()

    def _cut(self, flow_id: FlowId, ending: Ending) -> None:
        flow = self.flows.get(flow_id)
        if flow is not None:
            flow.cut(ending)

    def _forget_identity(self, identity: str, flow_id: FlowId) -> None:
        flows = self._identities[identity]
        flows.discard(flow_id)
        if not flows:
            del self._identities[identity]


def _facts(flow: Flow, advertise: Mapping[str, str]) -> FlowFacts:
    connection = flow.connection
    local = connection.getsockname()[:2]
    suite = connection.cipher()
    identity = None
    if flow.demands_certificate:
        presented = connection.certificate()
        identity = identity_of(x509.load_der_x509_certificate(presented)) if presented else None
    return FlowFacts(
        local=local,
        public=advertise.get(local[0], ""),
        peer=flow.peer,
        listener=flow.listener,
        tls_version=connection.version() or "",
        cipher=suite[0] if suite else "",
        certificate=identity,
    )
