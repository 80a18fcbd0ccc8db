"""The socket pair between the supervisor and each child: readiness, signs of life, news.

One SOCK_SEQPACKET message is one JSON value. It closes when either side dies, which the other
side sees at once. A child with an event loop of its own kind needs only `fileno` and `answer`.
"""

import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping
from typing import Final

import msgspec

from pbx.admin.models import Process

VARIABLE: Final = "PBX_LIFELINE"
_LONGEST: Final = 65_536


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Child: I serve, and these are my addresses in words for a person."""

    facts: dict[str, str] = {}


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Child: the answer to a ping, from the loop that does the work."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Child: I cannot serve; the sentence is for the operator, the code for the shell."""

    sentence: str
    code: int


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Supervisor: are you alive?"""


class News(msgspec.Struct, frozen=True, tag="news"):
    """Supervisor to exchange: how every process is doing, for `pbx status`."""

    processes: list[Process]


FromChild = Ready | Alive | Failed
ToChild = Ping | News

_from_child: Final = msgspec.json.Decoder(FromChild)
_to_child: Final = msgspec.json.Decoder(ToChild)


class SupervisorGone(Exception):
    """The other end is closed: nobody watches over us any more."""


class Lifeline:
    """The child's end. Without a supervisor (a process started by hand) it is silent."""

    def __init__(self, channel: socket.socket | None) -> None:
        self._channel = channel
        self.on_news: Callable[[list[Process]], None] = lambda _processes: None

    @classmethod
    def inherited(cls, environment: MutableMapping[str, str]) -> "Lifeline":
        """Takes the descriptor from the environment, so that no grandchild inherits it."""
        number = environment.pop(VARIABLE, "")
        if not number.isdigit():
            return cls(None)
        channel = socket.socket(fileno=int(number))
        channel.setblocking(False)
        os.set_inheritable(channel.fileno(), False)
        return cls(channel)

    @property
    def is_held(self) -> bool:
        return self._channel is not None

    def fileno(self) -> int:
        return -1 if self._channel is None else self._channel.fileno()

    def ready(self, facts: dict[str, str] | None = None) -> None:
        self._send(Ready(facts or {}))

    def failed(self, sentence: str, code: int) -> None:
        self._send(Failed(sentence, code))

    def answer(self) -> None:
        """Call when `fileno` is readable; raises SupervisorGone when it is closed."""
        if self._channel is None:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                try:
                    data = self._channel.recv(_LONGEST)
                except ConnectionError:
                    data = b""
                if not data:
                    raise SupervisorGone
                self._take(_to_child.decode(data))

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()

    def _take(self, message: ToChild) -> None:
        match message:
            case Ping():
                self._send(Alive())
            case News(processes):
                self.on_news(processes)

    def _send(self, message: FromChild) -> None:
        if self._channel is None:
            return
        # A supervisor that is gone or does not read is noticed by `answer`.
        with contextlib.suppress(OSError):
            self._channel.send(msgspec.json.encode(message))


class Watch:
    """The supervisor's end."""

    def __init__(self) -> None:
        self._channel, self.child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setblocking(False)

    def fileno(self) -> int:
        return self._channel.fileno()

    def received(self) -> list[FromChild]:
        """What the child has said since; nothing more once its end is closed."""
        messages: list[FromChild] = []
        with contextlib.suppress(OSError, msgspec.DecodeError):
            while data := self._channel.recv(_LONGEST):
                messages.append(_from_child.decode(data))
        return messages

    def send(self, message: ToChild) -> None:
        with contextlib.suppress(OSError):
            self._channel.send(msgspec.json.encode(message))

    def close(self) -> None:
        self._channel.close()
        self.child.close()
