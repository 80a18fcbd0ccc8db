"""Anchors: chain heads kept where whoever owns database and key store cannot reach them.

Rolling back both together shows only against an anchor. An anchor is one line of JSON, small
enough for a QR code; a place that keeps it implements `AnchorPlace`.
"""

from hashlib import sha256
from pathlib import Path
from typing import Protocol

import msgspec
from sqlalchemy import column, func, insert, select, table

from storage.database import Database
from storage.errors import StorageError
from storage.identifiers import Clock
from storage.ledger.heads import newest
from storage.ledger.reading import Reader
from storage.ledger.table import tip

ANCHORS = table("ledger_anchor", *(column(name) for name in ("made_at", "place", "digest")))
MOST_BYTES = 1 << 20


class AnchoredHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    writer: str
    sequence: int
    hash: str
    """Hexadecimal."""

    def __post_init__(self) -> None:
        if len(bytes.fromhex(self.hash)) != 32:
            raise ValueError("hash: is 32 bytes")


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="1", tag_field="anchor"):
    """Where every chain, and the key holder's journal as last seen, stood at one moment."""

    made_at: int
    heads: tuple[AnchoredHead, ...]
    journal_sequence: int | None = None
    journal: str | None = None

    def to_text(self) -> str:
        return msgspec.json.encode(self).decode()

    @property
    def digest(self) -> bytes:
        return sha256(self.to_text().encode()).digest()


class AnchorPlace(Protocol):
    """Somewhere off the machine, or on its way there."""

    name: str

    def put(self, anchor: Anchor) -> None:
        """Blocking; raises OSError when it was not kept."""


class FilePlace:
    """A file, best on other storage; anchors are appended, one a line."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, anchor: Anchor) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(anchor.to_text() + "\n")


def read_anchors(path: Path) -> list[Anchor]:
    """Every anchor in a file, or in text scanned from a QR code."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = file.read(MOST_BYTES).splitlines()
        return [msgspec.json.decode(line, type=Anchor) for line in lines if line.strip()]
    except (OSError, ValueError):
        raise StorageError("the anchor file cannot be read") from None


async def take(database: Database, clock: Clock) -> Anchor:
    """The heads as they are now."""
    heads = []
    journals: list[tuple[int, str]] = []
    async with database.read() as connection:
        for writer in await Reader(connection).writers():
            end = await tip(connection, writer)
            heads.append(AnchoredHead(writer, end.sequence, end.hash.hex()))
            signed = await newest(connection, writer, only_signed=True)
            if signed is not None and signed.journal_sequence is not None:
                journals.append((signed.journal_sequence, (signed.journal or b"").hex()))
    journal = max(journals, default=(None, None))
    return Anchor(clock(), tuple(heads), *journal)


async def keep(database: Database, anchor: Anchor, place: AnchorPlace) -> None:
    """Remember that this anchor was put somewhere, so that its age can be shown."""
    values = {"made_at": anchor.made_at, "place": place.name, "digest": anchor.digest}
    async with database.begin() as connection:
        await connection.execute(insert(ANCHORS), [values])


async def last_made(database: Database) -> int | None:
    """When the last anchor was made (microseconds), for `pbx status`."""
    async with database.read() as connection:
        found: int | None = await connection.scalar(select(func.max(ANCHORS.c.made_at)))
    return found
