"""Tables. Importing this package knows them all, so that migrations can be compared with them."""

from storage.models import (
    calls,
    extensions,
    groups,
    ledger,
    mailboxes,
    messages,
    people,
    phones,
    policies,
)

__all__ = [
    "calls",
    "extensions",
    "groups",
    "ledger",
    "mailboxes",
    "messages",
    "people",
    "phones",
    "policies",
]
