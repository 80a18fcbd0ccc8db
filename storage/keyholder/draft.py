"""What is about to change: reads see it, the store does not until it is committed as one."""

from collections.abc import Iterator
from typing import TypeVar
from uuid import UUID

from storage.keyholder.records import Row
from storage.keyholder.store import Change, Store

R = TypeVar("R", bound=Row)


class Draft:
    """An overlay on the store for one decision."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[tuple[type[Row], UUID], Row | None] = {}

    def get(self, kind: type[R], identifier: UUID) -> R | None:
        if (kind, identifier) in self._rows:
            row = self._rows[kind, identifier]
            return row if isinstance(row, kind) else None
        return self._store.get(kind, identifier)

    def all(self, kind: type[R]) -> Iterator[R]:
        for row in self._store.all(kind):
            if (kind, _id(row)) not in self._rows:
                yield row
        for row_or_none in self._rows.values():
            if isinstance(row_or_none, kind):
                yield row_or_none

    def put(self, row: Row) -> None:
        self._rows[type(row), _id(row)] = row

    def delete(self, kind: type[Row], identifier: UUID) -> None:
        self._rows[kind, identifier] = None

    def change(self) -> Change:
        return Change(
            put=[row for row in self._rows.values() if row is not None],
            delete=[key for key, row in self._rows.items() if row is None],
        )


def _id(row: Row) -> UUID:
    identifier: UUID = row.id  # type: ignore[attr-defined]  # every kind of row has one
    return identifier
