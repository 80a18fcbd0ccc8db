"""A handshake on one socket of a leg: who may take part, what is sent again, when it ends."""

from collections.abc import Callable
from typing import Literal

from media.sdp.dtls_terms import Dtls
from media.worker.dtls import Handshake, Identity, Secrets, is_first_message
from media.worker.endpoint import Address, Endpoint
from media.worker.loop import Deadline, Loop

LIMIT = 20.0
"""Seconds for the whole of it; RFC 6347 §4.2.4.1 repeats after 1, 3, 7 and 15."""
KEEP = 30.0
"""Seconds after its end in which the peer may still miss our last message."""
SHORTEST = 0.01
MOST_WAITING = 16
"""Datagrams: a flight is fewer, a flood is more."""

Cause = Literal["fingerprint", "handshake", "timeout"]


class Association:
    """Begins when both sides have described themselves; until then it keeps a first message."""

    def __init__(
        self,
        loop: Loop,
        endpoint: Endpoint,
        identity: Identity,
        *,
        keyed: Callable[[Secrets], None],
        failed: Callable[[Cause], None],
    ) -> None:
        self._loop, self._endpoint, self._identity = loop, endpoint, identity
        self._keyed, self._failed = keyed, failed
        self._handshake: Handshake | None = None
        self._early: tuple[bytes, Address] | None = None
        self._there: Address | None = None
        self._waiting = 0
        self._timer: Deadline | None = None
        self._limit: Deadline | None = None

    def begin(self, agreed: Dtls) -> None:
        """Make keys with whoever can show one of these certificates."""
        self.close()
        self._handshake = Handshake(self._identity, agreed.fingerprints, is_active=agreed.is_active)
        self._limit = self._loop.at(self._loop.now() + LIMIT, self._give_up)
        self._went_on(self._handshake.start())
        early, self._early = self._early, None
        if early is not None and not agreed.is_active:
            self.offer(*early)

    def offer(self, datagram: bytes, address: Address) -> bool:
        """DTLS from where the phone may be; whether there is a use for it. It is looked at later:
        a step takes longer than many packets of other calls."""
        has_room = self._waiting < MOST_WAITING
        if not has_room or (self._handshake is None and not is_first_message(datagram)):
            return False
        self._waiting += 1
        self._loop.later(lambda: self._receive(datagram, address))
        return True

    def _receive(self, datagram: bytes, address: Address) -> None:
        self._waiting -= 1
        if self._handshake is None:
            self._early = datagram, address
            return
        was_done = self._handshake.secrets is not None
        self._there = address
        replies = self._handshake.receive(datagram)
        self._send(replies) if was_done else self._went_on(replies)

    def close(self) -> None:
        """Forget everything."""
        for deadline in (self._timer, self._limit):
            if deadline is not None:
                deadline.cancel()
        self._handshake = self._timer = self._limit = self._there = None

    def _went_on(self, messages: list[bytes]) -> None:
        handshake = self._handshake
        assert isinstance(handshake, Handshake)  # noqa: S101 - only its own steps lead here
        self._send(messages)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if handshake.failure is not None:
            self._fail(handshake.failure)
        elif handshake.secrets is not None:
            self._finish(handshake.secrets)
        elif (left := handshake.seconds_left()) is not None:
            self._timer = self._loop.at(self._loop.now() + max(left, SHORTEST), self._expire)

    def _expire(self) -> None:
        if self._handshake is not None:
            self._went_on(self._handshake.expire())

    def _finish(self, secrets: Secrets) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self._loop.at(self._loop.now() + KEEP, self.close)
        if self._there is not None:
            self._endpoint.aim(self._there)
        self._keyed(secrets)

    def _give_up(self) -> None:
        self._fail("timeout")

    def _fail(self, cause: Cause) -> None:
        self.close()
        self._failed(cause)

    def _send(self, messages: list[bytes]) -> None:
        there = self._there or self._endpoint.destination
        if there is not None:
            for message in messages:
                self._endpoint.answer(message, there)
