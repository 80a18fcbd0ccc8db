"""Lock-out of device names: failed credentials per name and source address, with decay.

It refuses only new attempts of strangers from that address: never a flow on which the device has
proved itself, nor a client certificate, nor an emergency call on such a flow; so that nobody can
lock a phone out by attacking its name from elsewhere. Names that no device has are counted alike,
or the lock itself would tell which names exist.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from uuid import UUID

import msgspec


class LockoutConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[lockout]"""

    failures: int = 10
    """So many failed credentials lock a name for one source address."""

    decay_seconds: int = 60
    """One failure is forgiven after so long; the lock opens when half of them are."""

    def __post_init__(self) -> None:
        if not 3 <= self.failures <= 1_000:
            raise ValueError("failures: 3 to 1000")
        if not 1 <= self.decay_seconds <= 86_400:
            raise ValueError("decay_seconds: 1 to 86400")


@dataclass(frozen=True, slots=True)
class Locked:
    """One lock, as `pbx device` shows it."""

    device: UUID | None
    """None: no device has the name that was tried."""
    source: str
    seconds: float
    """Until it opens by itself."""


@dataclass(slots=True)
class _Failures:
    device: UUID | None
    level: float = 0.0
    at: float = 0.0
    is_locked: bool = False


class Lockout:
    """Leaky buckets, at most `most` of them; the one longest untouched makes room."""

    def __init__(self, config: LockoutConfig, most: int = 50_000) -> None:
        self._config = config
        self._most = most
        self._buckets: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def is_locked(self, name: str, source: str, now: float) -> bool:
        """Whether attempts for this name from this address are refused."""
        bucket = self._buckets.get((_short(name), network(source)))
        return bucket is not None and self._settle(bucket, now).is_locked

    def failed(self, name: str, device: UUID | None, source: str, now: float) -> bool:
        """Count a failed credential; True if this one locked the name."""
        key = (_short(name), network(source))
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Failures(device, at=now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        self._settle(bucket, now)
        bucket.device, bucket.level = device, bucket.level + 1
        if bucket.is_locked or bucket.level < self._config.failures:
            return False
        bucket.is_locked = True
        return True

    def unlock(self, device: UUID) -> int:
        """Forget the failures of a device from everywhere; how many locks that opened."""
        keys = [key for key, bucket in self._buckets.items() if bucket.device == device]
        return sum(self._buckets.pop(key).is_locked for key in keys)

    def locks(self, now: float) -> Iterator[Locked]:
        """What is locked now."""
        for (_, source), bucket in self._buckets.items():
            if self._settle(bucket, now).is_locked:
                left = (bucket.level - self._config.failures / 2) * self._config.decay_seconds
                yield Locked(bucket.device, source, left)

    def __len__(self) -> int:
        return len(self._buckets)

    def _settle(self, bucket: _Failures, now: float) -> _Failures:
        # A clock that stands still or falls back forgives nothing.
        if now > bucket.at:
            bucket.level = max(0.0, bucket.level - (now - bucket.at) / self._config.decay_seconds)
            bucket.at = now
        if bucket.is_locked and bucket.level <= self._config.failures / 2:
            bucket.is_locked = False
        return bucket


def _short(name: str) -> str:
    # Names of devices are shorter; a stranger's long name must not cost us its length.
    return name[:64].lower()


def network(source: str) -> str:
    """What counts as one source: an IPv4 address, or the /64 an IPv6 host can roam in."""
    if ":" not in source:
        return source
    address = IPv6Address(source.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
