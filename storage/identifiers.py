"""Identifiers (UUIDv7, RFC 9562 §5.7) and the clock they and every stored time come from."""

import secrets
import time
from collections.abc import Callable
from uuid import UUID

Clock = Callable[[], int]
"""Microseconds since 1970, UTC. Injected everywhere, so that tests choose the time."""


def system_clock() -> int:
    return time.time_ns() // 1_000


def new_id(clock: Clock) -> UUID:
    """A UUIDv7: sorts by millisecond of creation, 74 random bits."""
    milliseconds = clock() // 1_000 & (1 << 48) - 1
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62
    return UUID(int=value | random & (1 << 62) - 1)
