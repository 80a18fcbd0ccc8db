"""What `pbx status` and the metrics show of one writer."""

from dataclasses import dataclass, replace

from storage.identifiers import Clock


@dataclass(frozen=True, slots=True)
class Health:
    """A snapshot; counters are since the start of the process."""

    is_available: bool = True
    """False: protected operations are refused until the ledger can be written again."""
    unavailable_since: int | None = None
    outages: int = 0
    refused: int = 0
    """Units of work refused because no row could be written."""
    spooled: int = 0
    """Rows that went to the spool."""
    lost: int = 0
    """Rows neither ledger nor spool could take; a gap row stands for them."""
    waiting: int = 0
    """Rows in the spool now."""
    backward_steps: int = 0
    """Times the clock was found to have run backwards."""


class HealthRecord:
    """The committer's own, which it changes as things happen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now = Health()

    def failed(self) -> bool:
        """True if this is news."""
        if not self.now.is_available:
            return False
        self.now = replace(
            self.now,
            is_available=False,
            unavailable_since=self._clock(),
            outages=self.now.outages + 1,
        )
        return True

    def recovered(self) -> None:
        self.now = replace(self.now, is_available=True, unavailable_since=None)

    def count(self, *, refused: int = 0, spooled: int = 0, lost: int = 0, steps: int = 0) -> None:
        self.now = replace(
            self.now,
            refused=self.now.refused + refused,
            spooled=self.now.spooled + spooled,
            lost=self.now.lost + lost,
            backward_steps=self.now.backward_steps + steps,
        )

    def waiting(self, rows: int) -> None:
        self.now = replace(self.now, waiting=rows)
