"""What storage raises.

StorageError
├── StorageUnavailable     the database cannot be reached, is full or is busy
│   └── LedgerUnavailable  no audit row can be written, so protected work is refused
├── SchemaNotCurrent       `pbx db upgrade` has to be run, or the program is too old
├── UnsafeRole             the service's database account could rewrite what it must only append
└── InvalidEntry           an audit row we were about to write breaks a rule: our fault
"""


class StorageError(Exception):
    """Base of everything storage raises on purpose."""


class StorageUnavailable(StorageError):
    """The database cannot be reached, is full or is busy; trying again later may help."""


class LedgerUnavailable(StorageUnavailable):
    """No audit row, no data: the ledger cannot be written, so nothing was done."""

    def __init__(self) -> None:
        super().__init__("the audit ledger cannot be written at present; nothing was changed")


class SchemaNotCurrent(StorageError):
    """The tables are not those this program was written for."""


class UnsafeRole(StorageError):
    """The service's account owns the tables, so the database would not refuse a rewrite."""


class InvalidEntry(StorageError):
    """An audit row breaks a rule of the ledger; names the field, never the value."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
