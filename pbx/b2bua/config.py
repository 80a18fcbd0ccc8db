"""The `[calls]` table."""

import msgspec


class CallsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of calls; for emergency calls only those that name them are in force."""

    ring_seconds: int = 45
    """How long phones ring before the caller hears that nobody answers."""

    per_device: int = 4
    """Calls one phone may be part of at once."""

    calls_per_minute: int = 120
    """Calls one phone may begin in a minute, all at once if need be: no person dials faster. More
    are answered 486 and leave no record. Calls for help count for themselves."""

    total: int = 2_000
    """Calls at once; more are answered 503."""

    emergencies_per_device: int = 4
    """Emergency calls one phone may have going at once; more are answered 486."""

    emergency_legs: int = 32
    """Legs each media worker keeps free for emergency calls, at most a quarter of its ports."""

    group_seconds: int = 300
    """How long a group rings at most, however many members ring one after another."""

    park_slots: int = 20
    """How many calls may be parked at once: `*701` and so on."""

    park_seconds: int = 120
    """After how long a parked call that nobody takes rings at whoever parked it."""

    park_returns: int = 3
    """How often; then it goes to their mailbox, or ends."""

    def __post_init__(self) -> None:
        if not 5 <= self.ring_seconds <= 170:
            raise ValueError("ring_seconds: 5 to 170 (Timer C would end a longer ringing)")
        if not 1 <= self.per_device <= 50:
            raise ValueError("per_device: 1 to 50")
        if not 10 <= self.calls_per_minute <= 60_000:
            raise ValueError("calls_per_minute: 10 to 60000")
        if not 1 <= self.total <= 20_000:
            raise ValueError("total: 1 to 20000")
        if not 1 <= self.emergencies_per_device <= 50:
            raise ValueError("emergencies_per_device: 1 to 50")
        if not 0 <= self.emergency_legs <= 1_000:
            raise ValueError("emergency_legs: 0 to 1000")
        if not 5 <= self.group_seconds <= 3_600:
            raise ValueError("group_seconds: 5 to 3600")
        if not 1 <= self.park_slots <= 99:
            raise ValueError("park_slots: 1 to 99")
        if not 1 <= self.park_seconds <= 3_600:
            raise ValueError("park_seconds: 1 to 3600")
        if not 1 <= self.park_returns <= 20:
            raise ValueError("park_returns: 1 to 20")
