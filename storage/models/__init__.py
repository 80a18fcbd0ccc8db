"""Tables. Importing this package knows them all, so that migrations can be compared with them."""

from storage.models import (
    audit,
    calls,
    extensions,
    groups,
    ledger,
    mailboxes,
    messages,
    people,
    phones,
    policies,
    sign_ins,
)

__all__ = [
    "audit",
    "calls",
    "extensions",
    "groups",
    "ledger",
    "mailboxes",
    "messages",
    "people",
    "phones",
    "policies",
    "sign_ins",
]
