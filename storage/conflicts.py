"""What a store answers when a change does not fit what is there.

StorageError
└── Conflict
    ├── NotFound     there is no such row
    ├── Stale        somebody changed the row since it was read
    ├── Taken        the value belongs to another row
    └── WrongState   the row is in a state that does not allow it
"""

from storage.errors import StorageError


class Conflict(StorageError):
    """Names the kind of thing and the rule, never the value."""


class NotFound(Conflict):
    def __init__(self, kind: str) -> None:
        super().__init__(f"there is no such {kind}")


class Stale(Conflict):
    def __init__(self, kind: str) -> None:
        super().__init__(f"the {kind} was changed meanwhile: read it again and repeat the change")


class Taken(Conflict):
    def __init__(self, kind: str, field: str) -> None:
        super().__init__(f"another {kind} has this {field}")


class WrongState(Conflict):
    def __init__(self, kind: str, rule: str) -> None:
        super().__init__(f"the {kind} {rule}")
