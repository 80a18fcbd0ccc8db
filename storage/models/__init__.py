"""Tables. Importing this package knows them all, so that migrations can be compared with them."""

from storage.models import extensions, ledger, people, policies

__all__ = ["extensions", "ledger", "people", "policies"]
