"""What the ledger can say happened: a closed enum, so that no row carries invented words.

Each package adds its own members here, grouped by noun; a member once released keeps its value.
"""

from enum import StrEnum


class Action(StrEnum):
    """The act a row is about, as noun.participle."""

    LEDGER_GAP = "ledger.gap"
    """Rows were lost while neither ledger nor spool could take them; `after` says how many."""
    LEDGER_RECOVERED = "ledger.recovered"
    """The ledger could be written again; `after` says since when it could not."""

    SYSTEM_STARTED = "system.started"
    SYSTEM_STOPPED = "system.stopped"
    PROCESS_RESTARTED = "process.restarted"
    CONFIGURATION_CHANGED = "configuration.changed"
    CERTIFICATE_ISSUED = "certificate.issued"
    CERTIFICATE_IMPORTED = "certificate.imported"
    CERTIFICATE_REVOKED = "certificate.revoked"

    EMERGENCY_CALL_STARTED = "emergency_call.started"
    EMERGENCY_CALL_ENDED = "emergency_call.ended"


EMERGENCY = frozenset({Action.EMERGENCY_CALL_STARTED, Action.EMERGENCY_CALL_ENDED})
"""Rows that may use the part of the spool set aside for emergency calls."""


class Outcome(StrEnum):
    """How it ended."""

    INTENDED = "intended"
    """Recorded before the effect, which another store is yet to confirm."""
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
