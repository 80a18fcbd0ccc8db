"""ICE, lite (RFC 8445): the phone checks the way, we answer, and go where it decides.

Consent (RFC 7675) is kept by the same answers: a lite agent sends no checks of its own.
"""

from collections.abc import Callable

from media.sdp.ice import Ice
from media.worker import stun
from media.worker.endpoint import Address, Endpoint
from media.worker.loop import Deadline, Loop

SETTLED_AFTER = 3.0
"""Seconds: a phone that nominates eagerly changes its mind within the first two."""


PATIENCE = 5.0
"""Seconds without a nomination, then packets show the way as they do without ICE."""


class Checks:
    """Of one socket."""

    def __init__(
        self, loop: Loop, endpoint: Endpoint, prove: Callable[[str], None], agreed: Ice
    ) -> None:
        self._loop, self._endpoint, self._prove, self._agreed = loop, endpoint, prove, agreed
        endpoint.unsettle()
        self._settling: Deadline = loop.at(loop.now() + PATIENCE, self._settle)

    def receive(self, datagram: bytes, address: Address) -> bool:
        """A datagram that looks like STUN; whether it was a check of the phone's."""
        password = self._agreed.ours.password
        check = stun.read(datagram, self._agreed.username, password)
        if check is None:
            return False
        if check.unknown:
            answer = stun.failure(check, stun.UNKNOWN, password)
        elif check.is_controlled:
            answer = stun.failure(check, stun.ROLE_CONFLICT, password)
        else:
            answer = stun.success(check, (address[0], address[1]), password)
            self._prove(address[0])
            if check.is_nominating and self._endpoint.nominated != address:
                self._nominate(address)
        self._endpoint.answer(answer, address)
        return True

    def close(self) -> None:
        """No more."""
        self._settling.cancel()
        self._endpoint.nominated = None
        self._endpoint.is_settled = True

    def _nominate(self, address: Address) -> None:
        self._settling.cancel()
        self._endpoint.nominate(address)
        self._settling = self._loop.at(self._loop.now() + SETTLED_AFTER, self._settle)

    def _settle(self) -> None:
        self._endpoint.is_settled = True
