"""storage/keyholder/draft.py"""

from pathlib import Path
from uuid import UUID

from storage.keyholder.draft import Draft
from storage.keyholder.journal import Position
from storage.keyholder.records import Failures, Tombstone
from storage.keyholder.store import Change, Store

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def test_a_draft_shows_what_will_be_and_changes_nothing_itself(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store", b"k" * 32, b"w", Position())
    store.commit(Change(put=[Tombstone(ONE, 1), Tombstone(TWO, 1)]), Position(), 0)
    draft = Draft(store)

    draft.put(Tombstone(ONE, 2))
    draft.put(Tombstone(THREE, 3))
    draft.put(Failures(ONE))
    draft.delete(Tombstone, TWO)

    assert draft.get(Tombstone, ONE) == Tombstone(ONE, 2)
    assert draft.get(Tombstone, TWO) is None
    assert {row.id: row.at for row in draft.all(Tombstone)} == {ONE: 2, THREE: 3}
    assert store.get(Tombstone, ONE) == Tombstone(ONE, 1)
    assert Draft(store).get(Tombstone, TWO) == Tombstone(TWO, 1)
    store.commit(draft.change(), Position(), 0)
    assert store.get(Tombstone, TWO) is None
    assert store.get(Failures, ONE) == Failures(ONE)
    store.close()


def test_a_replaced_row_is_listed_once_beside_those_untouched(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store", b"k" * 32, b"w", Position())
    store.commit(Change(put=[Tombstone(ONE, 1), Tombstone(TWO, 1)]), Position(), 0)
    draft = Draft(store)
    draft.put(Tombstone(ONE, 2))

    assert sorted(row.at for row in draft.all(Tombstone)) == [1, 2]
    store.close()
