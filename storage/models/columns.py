"""Column types that both engines and SQLite's STRICT tables accept.

STRICT knows INTEGER, TEXT, BLOB and REAL only, so every table is made with `strict_table` from
these types: `Micros` for times, `Whole` for numbers, `Text` for words, `Identifier` for UUIDs,
`LargeBinary` for sealed bytes, `Truth` for booleans.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Dialect, Integer, LargeBinary, MetaData, Table
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Whole = BigInteger().with_variant(Integer(), "sqlite")
Micros = Whole


class Identifier(TypeDecorator[UUID]):
    """A UUID as its 16 bytes."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> bytes | None:
        return None if value is None else value.bytes

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> UUID | None:
        return None if value is None else UUID(bytes=value)


class Truth(TypeDecorator[bool]):
    """A boolean as 0 or 1: compared with these, since PostgreSQL takes it for no condition."""

    impl = Whole
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


def strict_table(name: str, *items: Column[Any] | SchemaItem, with_rowid: bool = True) -> Table:
    """A table of ours: STRICT on SQLite; without rowid where no second key may exist."""
    return Table(name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=with_rowid)
