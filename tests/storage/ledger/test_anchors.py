from pathlib import Path

import pytest

from storage.database import Database
from storage.errors import StorageError
from storage.ledger import anchors
from storage.ledger.anchors import Anchor, AnchoredHead, FilePlace, read_anchors
from storage.ledger.keeper import HeadKeeper
from tests.support.ledger import Signer, TestClock, fill


async def test_an_anchor_holds_every_chain_and_the_journals_head(database: Database) -> None:
    rows = await fill(database, 3)
    others = await fill(database, 2, "other")
    await HeadKeeper(database, "exchange", clock=TestClock(), signer=Signer(TestClock())).keep()

    anchor = await anchors.take(database, lambda: 77)

    assert anchor.made_at == 77
    assert anchor.heads == (
        AnchoredHead("exchange", 3, rows[-1].hash.hex()),
        AnchoredHead("other", 2, others[-1].hash.hex()),
    )
    assert (anchor.journal_sequence, anchor.journal) == (7, bytes(range(32)).hex())


async def test_an_anchor_of_an_empty_ledger_is_empty(database: Database) -> None:
    anchor = await anchors.take(database, TestClock())

    assert (anchor.heads, anchor.journal) == ((), None)


async def test_its_age_is_remembered(database: Database) -> None:
    assert await anchors.last_made(database) is None

    for at in (5, 9):
        await anchors.keep(database, Anchor(at, ()), FilePlace(Path("x")))

    assert await anchors.last_made(database) == 9


def test_a_file_keeps_every_anchor(tmp_path: Path) -> None:
    place, path = FilePlace(tmp_path / "a"), tmp_path / "a"
    made = [Anchor(at, (AnchoredHead("w", at, "00" * 32),)) for at in (1, 2)]
    for anchor in made:
        place.put(anchor)

    assert read_anchors(path) == made
    assert made[0].digest != made[1].digest


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\xff",
        b"{}",
        b'{"anchor":"2","made_at":1,"heads":[]}',
        b'{"anchor":"1","made_at":1,"heads":[{"writer":"w","sequence":1,"hash":"zz"}]}',
        b'{"anchor":"1","made_at":1,"heads":[{"writer":"w","sequence":1,"hash":"00"}]}',
    ],
)
def test_a_file_that_holds_no_anchor_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)

    with pytest.raises(StorageError, match="cannot be read"):
        read_anchors(tmp_path / "a")
    with pytest.raises(StorageError, match="cannot be read"):
        read_anchors(tmp_path / "missing")
