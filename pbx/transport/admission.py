"""Who may connect, and how much memory all of them may hold.

Only strangers are counted by address: a clinic of five hundred phones is one address to us, and
its phones stop counting as they log in. An IPv6 network of 64 bits is one household, so it is one
address here.
"""

import ipaddress

from pbx.transport.config import SipConfig


class Admission:
    """Counts flows: in all, strangers, strangers of each address."""

    __slots__ = ("_addresses", "_config", "strangers", "total")

    def __init__(self, config: SipConfig) -> None:
        self._config = config
        self._addresses: dict[str, int] = {}
        self.total = 0
        self.strangers = 0

    def admit(self, key: str) -> bool:
        """Count a new flow as a stranger, or refuse it."""
        config, of_address = self._config, self._addresses.get(key, 0)
        if (
            self.total >= config.max_flows
            or self.strangers >= config.max_strangers
            or of_address >= config.max_strangers_per_address
        ):
            return False
        self.total += 1
        self.strangers += 1
        self._addresses[key] = of_address + 1
        return True

    def trust(self, key: str) -> None:
        """A stranger has logged in."""
        self.strangers -= 1
        left = self._addresses[key] - 1
        if left:
            self._addresses[key] = left
        else:
            del self._addresses[key]

    def release(self, key: str, *, trusted: bool) -> None:
        """A flow is gone."""
        self.total -= 1
        if not trusted:
            self.trust(key)


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
