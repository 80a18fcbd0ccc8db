"""The `[calls]` table."""

import msgspec


class CallsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of calls; an emergency call is not counted against any of them."""

    ring_seconds: int = 45
    """How long phones ring before the caller hears that nobody answers."""

    per_device: int = 4
    """Calls one phone may be part of at once."""

    total: int = 2_000
    """Calls at once; more are answered 503."""

    def __post_init__(self) -> None:
        if not 5 <= self.ring_seconds <= 170:
            raise ValueError("ring_seconds: 5 to 170 (Timer C would end a longer ringing)")
        if not 1 <= self.per_device <= 50:
            raise ValueError("per_device: 1 to 50")
        if not 1 <= self.total <= 20_000:
            raise ValueError("total: 1 to 20000")
