"""The timers of RFC 3261 §17 that are left on a reliable transport, as a value.

Flows are TLS, so Timers A, E and G do not exist and D, I, J and K are zero (§17.1.1.2, §17.1.2.2,
§17.2.1, §17.2.2). What remains bounds how long anybody waits.
"""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class Timers:
    """Intervals in seconds (RFC 3261 Table 4)."""

    t1: float = 0.5
    """The round trip that everything else is reckoned from."""

    t2: float = 4.0
    """The longest interval between two retransmissions of a 2xx (§13.3.1.4)."""

    trying: float = 0.2
    """An INVITE not answered by then gets 100 Trying from its transaction (§17.2.1)."""

    @cached_property
    def late_trying(self) -> float:
        """A request other than INVITE gets 100 when Timer E would have reached T2 (RFC 4320 §4.1).

        Timer E fires after T1, 2·T1, 4·T1 … and the client then resets it to T2.
        """
        elapsed, interval = 0.0, self.t1
        while interval < self.t2:
            elapsed += interval
            interval *= 2
        return elapsed

    @cached_property
    def b(self) -> float:
        """An INVITE without any response."""
        return 64 * self.t1

    @cached_property
    def f(self) -> float:
        """Another request without a final response."""
        return 64 * self.t1

    @cached_property
    def h(self) -> float:
        """A failure response to INVITE without its ACK."""
        return 64 * self.t1

    @cached_property
    def l(self) -> float:  # noqa: E743 - the letter RFC 6026 §8.11 gives it
        """How long retransmissions of an INVITE answered by 2xx are absorbed."""
        return 64 * self.t1

    @cached_property
    def m(self) -> float:
        """How long further 2xx to our INVITE are awaited (RFC 6026 §8.4)."""
        return 64 * self.t1
