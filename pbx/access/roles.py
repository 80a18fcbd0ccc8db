"""Which role may do what: the one table, written to be read by a compliance officer.

Denied is the default (45 CFR 164.308(a)(3), 164.312(a)(1)): a pair that is not written here does
not exist. No role listens to other people's messages; a mailbox opens for its owner and its named
members, and the key holder decides that from a table of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from storage.keyholder.acts import Role

__all__ = ["Privilege", "Role", "is_allowed", "matrix_rows", "privileges_of"]


class Privilege(StrEnum):
    """Something a person may do through the administration plane."""

    OWN_SESSIONS = "own-sessions"
    OWN_FACTORS = "own-factors"
    PERSON_READ = "person-read"
    PERSON_ADD = "person-add"
    PERSON_CHANGE = "person-change"
    OPERATOR_CERTIFY = "operator-certify"
    PERSON_SUSPEND = "person-suspend"
    PERSON_LEAVE = "person-leave"
    PERSON_UNLOCK = "person-unlock"
    ENROLMENT_REQUEST = "enrolment-request"
    ROLE_READ = "role-read"
    ROLE_REQUEST = "role-request"
    PROPOSAL_APPROVE = "proposal-approve"
    ROLE_REVOKE = "role-revoke"
    SESSION_READ = "session-read"
    SESSION_END = "session-end"
    SITE_READ = "site-read"
    SITE_CHANGE = "site-change"
    EXTENSION_READ = "extension-read"
    EXTENSION_CHANGE = "extension-change"
    EXTENSION_PROVE = "extension-prove"
    GROUP_CHANGE = "group-change"
    REACH_CHANGE = "reach-change"
    OWN_REACH = "own-reach"
    MAILBOX_READ = "mailbox-read"
    MAILBOX_ADD = "mailbox-add"
    MAILBOX_RENAME = "mailbox-rename"
    MAILBOX_MEMBERS = "mailbox-members"
    OWN_MAILBOX = "own-mailbox"
    BREAK_GLASS_REQUEST = "break-glass-request"
    BREAK_GLASS_APPROVE = "break-glass-approve"
    BREAK_GLASS_END = "break-glass-end"
    BREAK_GLASS_LIST = "break-glass-list"
    OWN_MESSAGES = "own-messages"
    MESSAGE_PLAIN = "message-plain"
    MESSAGE_UNDELETE = "message-undelete"
    MESSAGE_PURGE = "message-purge"
    MESSAGE_STATISTICS = "message-statistics"
    HOLD = "hold"
    DEVICE_READ = "device-read"
    DEVICE_CHANGE = "device-change"
    DEVICE_UNLOCK = "device-unlock"
    DEVICE_SIGN_OUT = "device-sign-out"
    CALL_WATCH = "call-watch"
    CALL_HANG_UP = "call-hang-up"
    CALL_TEST = "call-test"
    CALL_READ = "call-read"
    CALL_PARTIES = "call-parties"
    EXCEPTION_READ = "exception-read"
    EXCEPTION_GRANT = "exception-grant"
    EXCEPTION_CLOSE = "exception-close"
    POLICY_READ = "policy-read"
    POLICY_CHANGE = "policy-change"
    HISTORY_READ = "history-read"
    AUDIT_SEARCH = "audit-search"
    AUDIT_TRACE = "audit-trace"
    AUDIT_NUMBER = "audit-number"
    CONSOLE = "console"
    AUDIT_EXPORT = "audit-export"
    AUDIT_WORDS = "audit-words"
    SYSTEM_RESTART = "system-restart"
    AUDIT_REVIEW = "audit-review"
    KEYS_READ = "keys-read"
    KEYS_CHANGE = "keys-change"
    RECOVERY_COLLECT = "recovery-collect"


P = Privilege

EVERYBODY = frozenset({P.OWN_SESSIONS, P.OWN_FACTORS, P.OWN_MAILBOX, P.OWN_MESSAGES, P.OWN_REACH})
"""What every signed-in person may do, whatever their roles, and to themselves only."""

CONTENT = frozenset(
    {P.RECOVERY_COLLECT, P.BREAK_GLASS_REQUEST, P.BREAK_GLASS_END, P.BREAK_GLASS_LIST}
)
"""Whoever hears messages of their own mailboxes: in an emergency, by two people, also another's."""

MATRIX: dict[Role, frozenset[Privilege]] = {
    # Configures everything, hears nothing, approves nothing alone.
    Role.SYSTEM_ADMINISTRATOR: frozenset(
        {
            P.PERSON_READ,
            P.PERSON_ADD,
            P.OPERATOR_CERTIFY,
            P.PERSON_CHANGE,
            P.PERSON_SUSPEND,
            P.PERSON_LEAVE,
            P.PERSON_UNLOCK,
            P.ENROLMENT_REQUEST,
            P.ROLE_READ,
            P.ROLE_REQUEST,
            P.PROPOSAL_APPROVE,
            P.ROLE_REVOKE,
            P.SESSION_READ,
            P.SESSION_END,
            P.SITE_READ,
            P.EXTENSION_READ,
            P.EXTENSION_PROVE,
            P.SITE_CHANGE,
            P.EXTENSION_CHANGE,
            P.GROUP_CHANGE,
            P.REACH_CHANGE,
            P.MAILBOX_READ,
            P.MAILBOX_ADD,
            P.MAILBOX_RENAME,
            P.MAILBOX_MEMBERS,
            P.DEVICE_READ,
            P.DEVICE_CHANGE,
            P.DEVICE_UNLOCK,
            P.CONSOLE,
            P.DEVICE_SIGN_OUT,
            P.CALL_WATCH,
            P.CALL_HANG_UP,
            P.CALL_TEST,
            P.CALL_READ,
            P.EXCEPTION_READ,
            P.EXCEPTION_GRANT,
            P.EXCEPTION_CLOSE,
            P.POLICY_READ,
            P.POLICY_CHANGE,
            P.HISTORY_READ,
            P.SYSTEM_RESTART,
            P.KEYS_READ,
            P.KEYS_CHANGE,
            P.RECOVERY_COLLECT,
            P.MESSAGE_STATISTICS,
        }
    ),
    # Unlocks a person or a phone, looks a phone up, sees that calls work; changes nothing else.
    Role.HELP_DESK: frozenset(
        {
            P.PERSON_READ,
            P.PERSON_UNLOCK,
            P.SITE_READ,
            P.EXTENSION_READ,
            P.DEVICE_READ,
            P.DEVICE_UNLOCK,
            P.CONSOLE,
            P.DEVICE_SIGN_OUT,
            P.CALL_WATCH,
            P.CALL_TEST,
            P.RECOVERY_COLLECT,
        }
    ),
    # Reads what was done and by whom; configures nothing, listens to nothing as a routine.
    Role.COMPLIANCE_OFFICER: frozenset(
        {
            P.PERSON_READ,
            P.ROLE_READ,
            P.SESSION_READ,
            P.SITE_READ,
            P.EXTENSION_READ,
            P.EXTENSION_PROVE,
            P.MAILBOX_READ,
            P.DEVICE_READ,
            P.CONSOLE,
            P.CALL_WATCH,
            P.CALL_READ,
            P.CALL_PARTIES,
            P.EXCEPTION_READ,
            P.POLICY_READ,
            P.HISTORY_READ,
            P.AUDIT_SEARCH,
            P.AUDIT_TRACE,
            P.AUDIT_NUMBER,
            P.AUDIT_EXPORT,
            P.AUDIT_WORDS,
            P.AUDIT_REVIEW,
            P.KEYS_READ,
            P.RECOVERY_COLLECT,
            P.BREAK_GLASS_APPROVE,
            P.BREAK_GLASS_END,
            P.BREAK_GLASS_LIST,
            P.MESSAGE_UNDELETE,
            P.MESSAGE_PURGE,
            P.MESSAGE_STATISTICS,
            P.HOLD,
        }
    ),
    # Decides who gets access and when it ends; configures nothing technical.
    Role.PRACTICE_MANAGER: frozenset(
        {
            P.PERSON_READ,
            P.PERSON_CHANGE,
            P.PERSON_SUSPEND,
            P.PERSON_LEAVE,
            P.ENROLMENT_REQUEST,
            P.ROLE_READ,
            P.ROLE_REQUEST,
            P.PROPOSAL_APPROVE,
            P.ROLE_REVOKE,
            P.SESSION_READ,
            P.SITE_READ,
            P.EXTENSION_READ,
            P.EXTENSION_PROVE,
            P.MAILBOX_READ,
            P.MAILBOX_MEMBERS,
            P.DEVICE_READ,
            P.CONSOLE,
            P.DEVICE_SIGN_OUT,
            P.EXCEPTION_READ,
            P.EXCEPTION_CLOSE,
            P.POLICY_READ,
            P.HISTORY_READ,
            P.AUDIT_SEARCH,
            P.AUDIT_REVIEW,
            P.RECOVERY_COLLECT,
            P.BREAK_GLASS_APPROVE,
            P.BREAK_GLASS_END,
            P.BREAK_GLASS_LIST,
            P.MESSAGE_STATISTICS,
        }
    ),
    # Use their own extension, mailbox and history; administer nothing. Any of them may be trusted
    # with a share of the recovery secret.
    Role.PHYSICIAN: CONTENT | {P.MESSAGE_PLAIN},
    Role.CLINICAL_STAFF: CONTENT,
    Role.FRONT_DESK: CONTENT,
    Role.BILLING: CONTENT,
}

CONTENT_ROLES = frozenset(
    {
        Role.COMPLIANCE_OFFICER,
        Role.PHYSICIAN,
        Role.CLINICAL_STAFF,
        Role.FRONT_DESK,
        Role.BILLING,
    }
)
"""Roles that may meet protected content; never granted by one person alone."""

APPROVING_ROLES = tuple(role for role in Role if P.PROPOSAL_APPROVE in MATRIX[role])
"""Roles that can be the second person; once two people have held one, nobody acts alone."""

SENSITIVE_ROLES = frozenset({Role.COMPLIANCE_OFFICER, Role.PRACTICE_MANAGER})
"""Roles whose command-line sessions end after five idle minutes instead of fifteen."""

STEP_UP = frozenset(
    {
        P.HOLD,
        P.PERSON_ADD,
        P.PERSON_SUSPEND,
        P.PERSON_LEAVE,
        P.PERSON_UNLOCK,
        P.ENROLMENT_REQUEST,
        P.ROLE_REQUEST,
        P.PROPOSAL_APPROVE,
        P.ROLE_REVOKE,
        P.EXTENSION_CHANGE,
        P.MAILBOX_ADD,
        P.MAILBOX_MEMBERS,
        P.OWN_MAILBOX,
        P.BREAK_GLASS_REQUEST,
        P.BREAK_GLASS_APPROVE,
        P.BREAK_GLASS_END,
        P.POLICY_CHANGE,
        P.AUDIT_EXPORT,
        P.KEYS_CHANGE,
        P.RECOVERY_COLLECT,
    }
)
"""Dangerous acts: the second factor is asked for again, in a proof that fits this one act."""


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One line of the printed table."""

    privilege: Privilege
    allowed: tuple[Role, ...]
    everybody: bool
    step_up: bool


def privileges_of(roles: Iterable[Role]) -> frozenset[Privilege]:
    """Everything the holder of `roles` may do."""
    return EVERYBODY.union(*(MATRIX[role] for role in roles))


def is_allowed(roles: Iterable[Role], privilege: Privilege) -> bool:
    """The decision itself; whoever has no role is left with what everybody may do."""
    return privilege in privileges_of(roles)


def matrix_rows() -> tuple[MatrixRow, ...]:
    """The whole table, privilege by privilege, as `pbx role matrix` prints it."""
    return tuple(
        MatrixRow(
            privilege,
            tuple(role for role in Role if privilege in MATRIX[role]),
            privilege in EVERYBODY,
            privilege in STEP_UP,
        )
        for privilege in Privilege
    )
