"""Who may connect, and how much memory all of them may hold.

Only strangers are counted by address: a clinic of five hundred phones is one address to us, and
its phones stop counting as they log in. An IPv6 network of 64 bits is one household, so it is one
address here.

Where strangers crowd, the one who has kept us waiting longest makes room: a phone answers within a
round trip, whoever holds connections open does not, and whom we keep waiting stays. Of one address
the first two seconds are everybody's, which also bounds the handshakes it can make us do.
"""

import ipaddress

from pbx.sip.flows import FlowId
from pbx.transport.config import SipConfig

_GRACE = 2.0  # seconds in which no stranger is asked to make room for its own address
_PATIENCE = 0.25  # seconds that a stranger may say nothing while others have no room at all


class Admission:
    """Counts flows: in all, strangers, strangers of each address."""

    __slots__ = (
        "_addresses", "_config", "_silent", "_strangers", "admitted", "logins", "refused", "total",
    )  # fmt: skip

    def __init__(self, config: SipConfig) -> None:
        self._config = config
        self._strangers: dict[FlowId, float] = {}  # since when, oldest first
        self._silent: dict[FlowId, float] = {}  # since when we wait for them, longest first
        self._addresses: dict[str, dict[FlowId, float]] = {}
        self.total = 0
        self.admitted = self.logins = self.refused = 0
        """Since the start, for metrics."""

    @property
    def strangers(self) -> int:
        return len(self._strangers)

    def has_room(self, key: str) -> bool:
        """Whether one more stranger may come from this address."""
        config = self._config
        return (
            self.total < config.max_flows
            and len(self._strangers) < config.max_strangers
            and len(self._addresses.get(key, ())) < config.max_strangers_per_address
        )

    def longest_stranger(self, key: str, now: float) -> FlowId | None:
        """Who has to leave for one more from this address; none while all are new."""
        here = self._addresses.get(key, {})
        if len(here) >= self._config.max_strangers_per_address:
            return _longest(here, now - _GRACE)
        silent = _longest(self._silent, now - _PATIENCE)
        return _longest(self._strangers, now - _GRACE) if silent is None else silent

    def waits(self, flow_id: FlowId) -> None:
        """A stranger said something, and waits for us."""
        self._silent.pop(flow_id, None)

    def heard(self, flow_id: FlowId, now: float) -> None:
        """A stranger was heard, and has to go on."""
        self._silent.pop(flow_id, None)
        if flow_id in self._strangers:
            self._silent[flow_id] = now

    def admit(self, flow_id: FlowId, key: str, now: float) -> None:
        """Count a new flow as a stranger."""
        self.total += 1
        self.admitted += 1
        self._strangers[flow_id] = self._silent[flow_id] = now
        self._addresses.setdefault(key, {})[flow_id] = now

    def trust(self, flow_id: FlowId, key: str) -> None:
        """A stranger has logged in."""
        self.logins += self._forget(flow_id, key)

    def _forget(self, flow_id: FlowId, key: str) -> bool:
        if self._strangers.pop(flow_id, None) is None:
            return False
        self._silent.pop(flow_id, None)
        here = self._addresses[key]
        del here[flow_id]
        if not here:
            del self._addresses[key]
        return True

    def release(self, flow_id: FlowId, key: str) -> None:
        """A flow is gone."""
        self.total -= 1
        self._forget(flow_id, key)


def _longest(waited_for: dict[FlowId, float], until: float) -> FlowId | None:
    """The first, if it has been there since then."""
    for flow_id, since in waited_for.items():
        return flow_id if since <= until else None
    return None


class Memory:
    """Bytes held for all flows: partial messages and unsent answers.

    Strangers share half of it, so that they cannot take it from phones that have logged in.
    """

    __slots__ = ("_limit", "used")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    def take(self, count: int, *, trusted: bool) -> bool:
        """Count bytes held (or, below zero, freed); False: there is no room, cut the flow."""
        self.used += count
        return count <= 0 or self.used <= (self._limit if trusted else self._limit // 2)


def address_key(host: str) -> str:
    """What counts as one address."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.packed[:8].hex()
