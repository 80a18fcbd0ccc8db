"""What `verify` found: faults (exit 1), gaps (rows known to be lost), notices."""

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    HEAD = "head"
    """A head is missing or does not carry the key holder's signature."""
    INDEX = "index"
    """A search by the index shows something else than the rows say."""
    GUARD = "guard"
    """The table no longer refuses changes."""
    UNAUDITED = "unaudited"
    """The key holder opened, destroyed or changed something that the ledger knows nothing of."""
    ROLLED_BACK = "rolled back"
    """Ledger and journal do not meet: one of them is an older copy."""
    JOURNAL = "journal"
    """The key holder's journal itself is altered or missing."""


class Finding(msgspec.Struct, frozen=True):
    """The first thing wrong with one chain; `last` where only a range can be named."""

    fault: Fault
    writer: str
    sequence: int
    sentence: str
    last: int | None = None


class LostRows(msgspec.Struct, frozen=True):
    """A gap: rows neither ledger nor spool could take. Times are microseconds UTC."""

    writer: str
    sequence: int | None
    """The row that says so; None while it still waits in the spool."""
    count: int
    kinds: dict[str, int]
    first: int
    last: int


class Report(msgspec.Struct):
    rows: int = 0
    writers: list[str] = []
    findings: list[Finding] = []
    gaps: list[LostRows] = []
    notices: list[str] = []

    @property
    def is_whole(self) -> bool:
        return not self.findings
