"""One TLS connection: handshake, bytes to frames, bounded writing, orderly end.

A `Channel` on the loop's readiness callbacks, not asyncio's TLS transport: that takes a third more
CPU for each handshake and 270 KB for each connection.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, StrEnum
from typing import Protocol

from certs.diagnose import Cause, cause_of
from pbx.sip.flows import Endpoint, FlowId
from pbx.transport.admission import address_key
from pbx.transport.channel import Channel
from pbx.transport.framing import Framer, Frames, Limits
from pbx.transport.waiting_room import WaitingRoom

_RECORD = 16_384  # the most that one TLS record says
_WOULD_BLOCK = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
_MOST_DISCARDED = 262_144


class State(Enum):
    HANDSHAKE = "handshake"
    OPEN = "open"
    CLOSING = "closing"
    """Our last words are on their way; what the peer still says is not read."""
    CLOSED = "closed"


class Ending(StrEnum):
    """Why a flow ended, for metrics and logs."""

    PEER_LEFT = "the peer closed the connection"
    LEFT_UNHEARD = (
        "the peer left before its first message; perhaps it does not trust our certificate"
    )
    BROKEN = "the connection broke"
    HANDSHAKE_FAILED = "the handshake failed"
    HANDSHAKE_LATE = "the handshake took too long"
    SILENT = "no message came in time"
    SLOW = "a message took too long to arrive"
    NOT_LOGGED_IN = "no log-in came in time"
    CROWDED_OUT = "a stranger made room for the next"
    SURPLUS = "the phone opened too many newer connections"
    NOT_READING = "the peer does not read"
    MALFORMED = "the stream could not be framed"
    TOO_MUCH = "memory for messages is used up"
    NO_IDENTITY = "the client certificate names no device"
    WITHDRAWN = "the right to be connected was withdrawn"
    STOPPING = "the exchange stops"
    FAULT = "a fault of ours"


class Origin(Protocol):
    """Where a flow comes from: a listener, or a connection of ours."""

    name: str
    demands_certificate: bool


class Owner(Protocol):
    """Who is told of a flow's life; calls come from the loop."""

    def flow_waits(self, flow: "Flow") -> None:
        """What a stranger said is heard later."""

    def flow_heard(self, flow: "Flow") -> None:
        """What a stranger said was heard."""

    def flow_opened(self, flow: "Flow") -> None: ...

    def flow_received(self, flow: "Flow", frames: Frames) -> None: ...

    def flow_held(self, flow: "Flow", change: int) -> None:
        """The flow holds so many bytes more, or fewer."""

    def flow_ending(self, flow: "Flow", ending: Ending, cause: Cause | None) -> None:
        """No message will come from it or go to it any more."""

    def flow_gone(self, flow: "Flow") -> None:
        """Its socket is closed."""


class Flow:
    """A connection and its two buffers; knows the loop, and nothing of SIP."""

    __slots__ = (
        "_connection",
        "_discarded",
        "_due",
        "_fd",
        "_framer",
        "_loop",
        "_owner",
        "_recv",
        "_room",
        "_unsent",
        "_writing",
        "demands_certificate",
        "held",
        "id",
        "identity",
        "key",
        "known",
        "listener",
        "messages",
        "peer",
        "state",
        "trusted",
    )

    def __init__(
        self,
        flow_id: FlowId,
        connection: Channel,
        peer: Endpoint,
        origin: Origin,
        owner: Owner,
        limits: Limits,
        room: WaitingRoom,
    ) -> None:
        self.id = flow_id
        self.peer = peer
        self.key = address_key(peer[0])
        self.listener = origin.name
        self.demands_certificate = origin.demands_certificate
        self.identity: str | None = None
        """What the client certificate names, on listeners that demand one."""
        self.known = False
        """The stack has been told of it."""
        self.state = State.HANDSHAKE
        self.trusted = False
        self.messages = 0
        self.held = 0
        """Bytes this flow makes us keep."""
        self._connection = connection
        self._recv = connection.recv
        self._fd = connection.fileno()
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        self._framer = Framer(limits)
        self._room = room
        self._due: Callable[[], None] | None = None
        """What this stranger waits for; its socket is not looked at meanwhile."""
        self._unsent = bytearray()
        self._writing = False
        self._discarded = 0

    @property
    def connection(self) -> Channel:
        return self._connection

    @property
    def is_amid_message(self) -> bool:
        return self._framer.is_amid

    @property
    def unsent(self) -> int:
        return len(self._unsent) + self._connection.unsent

    def start(self) -> None:
        self._loop.add_reader(self._fd, self._attend, self._shake)

    def start_open(self) -> None:
        """For a connection of ours, whose handshake is done."""
        self.state = State.OPEN
        self._loop.add_reader(self._fd, self._read)
        self._owner.flow_opened(self)

    def trust(self) -> None:
        """No stranger any more: what it says is heard at once."""
        self.trusted = True
        self._due = None
        self._loop.add_reader(self._fd, self._read)

    def write(self, data: bytes) -> None:
        """Send, now if the peer reads, else as it reads; nothing after the flow has ended."""
        if self.state is not State.OPEN:
            return
        if not self._unsent and not self._writing:
            try:
                sent = self._connection.send(data)
            except OSError:  # full, or broken: _flush finds out
                sent = 0
            if sent == len(data) and not self._connection.unsent:
                return
            data = data[sent:]
        self._unsent += data
        if not self._writing:
            self._flush()
        self._count()

    def close(self, ending: Ending) -> None:
        """Finish what is being sent, say goodbye, then close; the owner bounds the time."""
        if self.state is State.HANDSHAKE:
            self.cut(ending)
        elif self.state is State.OPEN:
            self.state = State.CLOSING
            self._due = None
            self._loop.add_reader(self._fd, self._discard)
            self._owner.flow_ending(self, ending, None)
            if not self.unsent:
                self._say_goodbye()

    def cut(self, ending: Ending, cause: Cause | None = None) -> None:
        """Close at once."""
        if self.state is State.CLOSED:
            return
        ended = self.state is State.CLOSING
        self.state = State.CLOSED
        self._due = None
        self._loop.remove_reader(self._fd)
        if self._writing:
            self._loop.remove_writer(self._fd)
        self._connection.close()
        if not ended:
            self._owner.flow_ending(self, ending, cause)
        self._owner.flow_gone(self)

    def _attend(self, act: Callable[[], None]) -> None:
        """A stranger wants something: now, or when it is its turn."""
        if self._room.has_time():
            act()
            self._owner.flow_heard(self)
            return
        self._loop.remove_reader(self._fd)
        self._due = act
        self._owner.flow_waits(self)
        self._room.enter(self._attend_late)

    def _attend_late(self) -> None:
        act, self._due = self._due, None
        if act is not None:
            self._loop.add_reader(self._fd, self._attend, act)
            act()
            self._owner.flow_heard(self)

    def _shake(self) -> None:
        try:
            self._connection.do_handshake()
        except ssl.SSLWantReadError:
            self._stop_writing()
        except ssl.SSLWantWriteError:
            self._await_room(self._shake)
        except (OSError, ValueError) as error:
            self._fail(cause_of(error))
        else:
            self._stop_writing()
            self.state = State.OPEN
            self._loop.add_reader(self._fd, self._attend, self._read)
            self._owner.flow_opened(self)
            if self.state is State.OPEN:
                self._begin()

    def _begin(self) -> None:
        if self._connection.unsent:
            self._await_room(self._resume)
        if self._connection.has_more:
            self._read()  # its first words came with the last of the handshake

    def _fail(self, cause: Cause) -> None:
        """OpenSSL has sent the alert that says why; closing at once could overtake it."""
        self._stop_writing()
        self.state = State.CLOSING
        self._loop.add_reader(self._fd, self._discard)
        self._owner.flow_ending(self, Ending.HANDSHAKE_FAILED, cause)
        self._hang_up()

    def _read(self) -> None:
        connection = self._connection
        try:
            data = self._recv(_RECORD)
        except ssl.SSLWantReadError:
            data = b""
        except OSError:
            self.cut(Ending.BROKEN)
            return
        if connection.unsent:  # of what TLS itself has to say
            self._await_room(self._resume)
        if data:
            frames = self._framer.feed(data)
            self._count()
            self._owner.flow_received(self, frames)
        else:
            self._count()
        if connection.has_ended and self.state is State.OPEN:
            self.cut(Ending.PEER_LEFT)

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._connection.send(self._unsent)]
            self._connection.flush()
        except _WOULD_BLOCK:
            self._await_room(self._resume)
        except OSError:
            # Not from inside the owner's own call: it may be in the middle of something.
            self._unsent.clear()
            self._loop.call_soon(self.cut, Ending.BROKEN)
        else:
            self._stop_writing()
            if self.state is State.CLOSING:
                self._say_goodbye()

    def _resume(self) -> None:
        self._flush()
        self._count()

    def _count(self) -> None:
        held = self._framer.buffered + self.unsent
        if held != self.held:
            change, self.held = held - self.held, held
            self._owner.flow_held(self, change)

    def _await_room(self, resume: Callable[[], None]) -> None:
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._fd, resume)

    def _stop_writing(self) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _say_goodbye(self) -> None:
        """TLS close_notify and TCP FIN; then wait for the peer's, so that it reads our last."""
        with suppress(OSError, ValueError):  # as a rule the peer's close_notify is not here yet
            self._connection.unwrap()
        self._hang_up()

    def _hang_up(self) -> None:
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            self.cut(Ending.BROKEN)

    def _discard(self) -> None:
        try:
            count = len(self._connection.recv(_RECORD))
        except (*_WOULD_BLOCK, BlockingIOError):
            return
        except OSError:
            count = 0
        self._discarded += count
        if not count or self._discarded > _MOST_DISCARDED:
            self.cut(Ending.BROKEN)
