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

    LEDGER_RECONCILED = "ledger.reconciled"
    """Closes an intent that nothing followed; `after` says what the journal knows about it."""

    SYSTEM_STARTED = "system.started"
    SYSTEM_STOPPED = "system.stopped"
    PROCESS_RESTARTED = "process.restarted"
    CONFIGURATION_CHANGED = "configuration.changed"
    CERTIFICATE_ISSUED = "certificate.issued"
    CERTIFICATE_IMPORTED = "certificate.imported"
    CERTIFICATE_REVOKED = "certificate.revoked"

    PERSON_ADDED = "person.added"
    PERSON_READ = "person.read"
    PERSON_LISTED = "person.listed"
    PERSON_CHANGED = "person.changed"
    PERSON_ENROLLED = "person.enrolled"
    PERSON_SUSPENDED = "person.suspended"
    PERSON_RESUMED = "person.resumed"
    PERSON_LEFT = "person.left"
    PERSON_UNLOCKED = "person.unlocked"
    ENROLMENT_ISSUED = "enrolment.issued"
    ENROLMENT_BEGUN = "enrolment.begun"
    """The first half: it counts with the first code of the new factor."""
    FACTORS_CHANGED = "factors.changed"
    FACTORS_LISTED = "factors.listed"

    GRANT_REQUESTED = "grant.requested"
    GRANT_MADE = "grant.made"
    GRANT_DECLINED = "grant.declined"
    GRANT_ENDED = "grant.ended"
    GRANT_LISTED = "grant.listed"
    PROPOSAL_MADE = "proposal.made"
    """An act waits for a second person; `after` names it."""
    PROPOSAL_LISTED = "proposal.listed"
    PROPOSAL_APPROVED = "proposal.approved"
    PROPOSAL_DECLINED = "proposal.declined"

    SESSION_OPENED = "session.opened"
    SESSION_ENDED = "session.ended"
    SESSION_READ = "session.read"
    SESSION_LISTED = "session.listed"

    MAILBOX_ADDED = "mailbox.added"
    MAILBOX_CLOSED = "mailbox.closed"
    MAILBOX_READ = "mailbox.read"
    MAILBOX_LISTED = "mailbox.listed"
    MEMBER_ADDED = "member.added"
    MEMBER_REMOVED = "member.removed"

    EXTENSION_ADDED = "extension.added"
    EXTENSION_ASSIGNED = "extension.assigned"
    EXTENSION_RELEASED = "extension.released"
    EXTENSION_READ = "extension.read"
    EXTENSION_LISTED = "extension.listed"
    EXTENSION_UNDONE = "extension.undone"

    DEVICE_ADDED = "device.added"
    DEVICE_PLACED = "device.placed"
    DEVICE_ASSIGNED = "device.assigned"
    DEVICE_READ = "device.read"
    DEVICE_LISTED = "device.listed"

    DEVICE_REMOVED = "device.removed"
    DEVICE_REKEYED = "device.rekeyed"
    DEVICE_CERTIFIED = "device.certified"
    DEVICE_EMERGENCY_SET = "device.emergency_set"
    DEVICE_LAMP_SET = "device.lamp_set"
    DEVICE_UNLOCKED = "device.unlocked"
    DEVICE_FIRST_SEEN = "device.first_seen"
    REGISTRATION_STARTED = "registration.started"
    REGISTRATION_ENDED = "registration.ended"
    REGISTRATION_LISTED = "registration.listed"
    CREDENTIAL_FAILED = "credential.failed"
    DEVICE_LOCKED = "device.locked"

    CALL_ENDED = "call.ended"
    CALL_READ = "call.read"
    CALL_PARTIES_READ = "call.parties_read"
    CALL_LISTED = "call.listed"
    CALL_HUNG_UP = "call.hung_up"
    CALL_TESTED = "call.tested"

    MESSAGE_DEPOSITED = "message.deposited"
    """A message was left; `after` has the digest of its sealed file."""
    MESSAGE_INTERRUPTED = "message.interrupted"
    """A recording that a crash cut short was kept; `after` has its segments and their digest."""
    MESSAGE_LOST = "message.lost"
    """A recording was begun of which nothing durable was left."""
    MESSAGE_ADOPTED = "message.adopted"
    MESSAGE_LISTED = "message.listed"
    MESSAGE_HEARD = "message.heard"
    MESSAGE_SAVED = "message.saved"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_UNDELETED = "message.undeleted"
    MESSAGE_FORWARDED = "message.forwarded"
    MESSAGE_EXPORTED = "message.exported"
    MESSAGE_DAMAGED = "message.damaged"
    """A sealed file was refused; `after` says why."""
    MESSAGE_DESTROYED = "message.destroyed"
    MESSAGE_CERTIFICATE_READ = "message.certificate_read"
    MESSAGE_PURGED = "message.purged"
    """A purge ran; `after` has its numbers."""
    GREETING_CHANGED = "greeting.changed"
    MAILBOX_SET = "mailbox.set"
    HOLD_PLACED = "hold.placed"
    HOLD_RELEASED = "hold.released"
    HOLD_LISTED = "hold.listed"

    EXCEPTION_GRANTED = "exception.granted"
    EXCEPTION_CLOSED = "exception.closed"
    EXCEPTION_LISTED = "exception.listed"
    POLICY_CHANGED = "policy.changed"
    POLICY_LISTED = "policy.listed"
    HISTORY_READ = "history.read"

    KEYS_READ = "keys.read"
    KEYS_ROTATED = "keys.rotated"
    KEYS_BACKED_UP = "keys.backed_up"
    RECOVERY_SET = "recovery.set"
    RECOVERY_COLLECTED = "recovery.collected"

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
