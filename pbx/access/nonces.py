"""Nonces that need no memory until somebody has proved something with them (RFC 7616 §3.3).

A nonce is its time of birth and a MAC over that and the flow: on another flow, too old, or made
up, it is worth nothing, and a flood of challenges costs us no memory: of each flow only the newest
is remembered, to be recognised without arithmetic. Only once a proof has been verified does its
flow get windows of the nonce counts seen, and they go with the flow.
"""

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass, field

from pbx.sip.flows import FlowId

LIFETIME = 3_600.0
"""Seconds. A phone that refreshes every ten minutes is challenged anew once an hour."""

REORDER = 32
"""How far a nonce count may lag behind the highest one; requests on one flow keep their order,
but a phone's threads may number them in another."""

Birth = tuple[int, int]
"""Microseconds, and a number among the nonces of the same microsecond."""

KEPT = 4
"""Nonces in use per flow: some phones keep one for REGISTER and one for INVITE."""

MOST_COUNTS = 2**32 - 1
_MAC = 16
_BIRTH = struct.Struct(">QI")
_BOUND = struct.Struct(">QQI")
_LENGTH = 38  # 28 bytes in base64 without padding


@dataclass(slots=True)
class _Window:
    """The nonce counts seen with one nonce: the highest, and a bit for each of those before it."""

    birth: Birth
    highest: int = 0
    seen: int = 0

    def take(self, count: int) -> bool:
        if count > self.highest:
            self.seen = (self.seen << (count - self.highest)) | 1 if self._is_near(count) else 1
            self.seen &= (1 << REORDER) - 1
            self.highest = count
            return True
        bit = 1 << (self.highest - count) if self.highest - count < REORDER else 0
        if not bit or self.seen & bit:
            return False
        self.seen |= bit
        return True

    def _is_near(self, count: int) -> bool:
        return count - self.highest < REORDER


@dataclass(slots=True)
class _Used:
    """What one flow has used."""

    windows: list[_Window] = field(default_factory=list)
    floor: Birth = (0, 0)
    """Nonces born up to here that have no window are used up."""


class Nonces:
    """Mints, recognises and spends nonces; `now` is monotonic seconds."""

    def __init__(self, key: bytes, lifetime: float = LIFETIME) -> None:
        """`key`: 32 random bytes of this process; after a restart every nonce is stale."""
        self._key = key
        self._lifetime = lifetime
        self._newest: dict[FlowId, tuple[str, Birth]] = {}
        self._used: dict[FlowId, _Used] = {}
        self._last = (0, 0)

    def mint(self, flow: FlowId, now: float) -> str:
        """A new nonce for this flow."""
        micros = int(now * 1_000_000)
        last, serial = self._last
        self._last = (micros, 0) if micros > last else (last, serial + 1)
        data = _BIRTH.pack(*self._last) + self._mac(flow, self._last)
        nonce = base64.b64encode(data, b"-_")[:_LENGTH].decode()
        self._newest[flow] = nonce, self._last
        return nonce

    def recognise(self, nonce: str, flow: FlowId, now: float) -> Birth | None:
        """Its birth, if it is ours, of this flow, young enough and not used up."""
        newest = self._newest.get(flow)
        is_newest = newest is not None and newest[0] == nonce
        birth = newest[1] if newest and is_newest else self._birth(nonce, flow)
        if birth is None or now - birth[0] / 1_000_000 >= self._lifetime:
            return None
        return birth if self._is_known(birth, flow) else None

    def spend(self, birth: Birth, flow: FlowId, count: int) -> bool:
        """Take a count of a nonce just recognised, its proof verified; False: it has been seen."""
        if not 0 < count <= MOST_COUNTS or not self._is_known(birth, flow):
            return False
        return self._window(birth, flow).take(count)

    def forget(self, flow: FlowId) -> None:
        """The flow is gone, and its nonces with it."""
        self._newest.pop(flow, None)
        self._used.pop(flow, None)

    def __len__(self) -> int:
        """Flows that have used a nonce."""
        return len(self._used)

    def _birth(self, nonce: str, flow: FlowId) -> Birth | None:
        if len(nonce) != _LENGTH or not nonce.isascii():
            return None
        try:
            data = base64.b64decode(nonce + "==", altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        micros, serial = _BIRTH.unpack_from(data)
        if not hmac.compare_digest(data[_BIRTH.size :], self._mac(flow, (micros, serial))):
            return None
        return micros, serial

    def _is_known(self, birth: Birth, flow: FlowId) -> bool:
        used = self._used.get(flow)
        if used is None or birth > used.floor:
            return True
        return any(window.birth == birth for window in used.windows)

    def _window(self, birth: Birth, flow: FlowId) -> _Window:
        used = self._used.setdefault(flow, _Used())
        for window in used.windows:
            if window.birth == birth:
                return window
        window = _Window(birth)
        used.windows.append(window)
        if len(used.windows) > KEPT:
            used.windows.sort(key=lambda kept: kept.birth)
            used.floor = used.windows.pop(0).birth
        return window

    def _mac(self, flow: FlowId, birth: Birth) -> bytes:
        return hmac.digest(self._key, _BOUND.pack(flow, *birth), "sha256")[:_MAC]
