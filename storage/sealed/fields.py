"""Per-field sealing: a value is bound to its table, column and row, and found by a keyed index.

Associated data makes a value useless anywhere else, so nobody with the database can move a name
to another row. The blind index is a keyed hash of the normalised value: equal values are found,
nothing else is learnt without the key. Low-entropy values (telephone numbers) can be tried by
whoever holds the index key, which is why the patient-number key lives in the key holder alone.
"""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

from storage.sealed import primitives

_VERSION = b"\1"


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a value lives."""

    table: str
    column: str
    row: UUID

    def associated_data(self) -> bytes:
        names = b"".join(
            len(name).to_bytes(1, "big") + name
            for name in (self.table.encode(), self.column.encode())
        )
        return b"field v1\0" + names + self.row.bytes


class FieldKey:
    """Seals and opens the fields of one purpose; the sealing key and the index key are apart."""

    def __init__(self, key: primitives.Bytes, purpose: str) -> None:
        self._sealing = primitives.hkdf(key, f"field sealing {purpose}")
        self._index = primitives.hkdf(key, f"field index {purpose}")

    def seal(self, text: str, cell: Cell) -> bytes:
        return self.seal_bytes(text.encode(), cell)

    def open(self, sealed: bytes, cell: Cell) -> str:
        return self.open_bytes(sealed, cell).decode()

    def seal_bytes(self, value: primitives.Bytes, cell: Cell) -> bytes:
        return _VERSION + primitives.seal(self._sealing, value, cell.associated_data())

    def open_bytes(self, sealed: bytes, cell: Cell) -> bytes:
        if sealed[:1] != _VERSION:
            raise primitives.OpenError("sealed field: unknown version")
        return primitives.open_sealed(self._sealing, sealed[1:], cell.associated_data())

    def index(self, text: str, table: str, column: str) -> bytes:
        """Equal for equal values of one column; different between columns."""
        return primitives.mac(self._index, f"{table}.{column}", normalised(text).encode())


def normalised(text: str) -> str:
    """Case, compatibility forms and outer space do not make another value."""
    return unicodedata.normalize("NFKC", text).strip().casefold()
