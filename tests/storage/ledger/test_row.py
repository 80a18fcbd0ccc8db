from hashlib import sha256

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from storage.ledger.row import GENESIS, LABEL, Row, Tip, chain, leaf
from tests.support.ledger import TestClock, entry

IDENTIFIERS = st.none() | st.binary(min_size=16, max_size=16)
TEXTS = st.text(max_size=20)
NUMBERS = st.integers(0, 2**63 - 1)
ROWS = st.builds(
    Row,
    *(TEXTS, NUMBERS, NUMBERS, NUMBERS, st.binary(max_size=16), TEXTS, TEXTS, TEXTS),
    *(IDENTIFIERS, IDENTIFIERS, st.none() | TEXTS, IDENTIFIERS),
    *(st.none() | TEXTS, st.none() | TEXTS, st.none() | st.binary(max_size=40)),
    st.binary(min_size=32, max_size=32),
)


def test_a_row_numbers_and_chains_what_the_entry_says() -> None:
    row, tip = Tip.start("exchange").extend(entry(2), 5_000)
    second, _ = tip.extend(entry(3), 6_000)

    assert (row.sequence, row.recorded_at, second.sequence) == (1, 5_000, 2)
    assert row.hash == chain(GENESIS, leaf(row))
    assert second.hash == chain(row.hash, leaf(second))
    assert (second.subject_kind, second.actor_id, second.detail) == (None, None, None)
    assert row.actor_id == b"\0" * 7 + b"\2" + b"\0" * 7 + b"\2"


def test_the_leaf_and_the_chain_are_what_the_documentation_says() -> None:
    row, _ = Tip.start("exchange").extend(entry(2), 5_000)

    assert leaf(row) == sha256(msgspec.msgpack.encode((LABEL, *row[:-1]))).digest()
    assert chain(b"a" * 32, b"b" * 32) == sha256(b"a" * 32 + b"b" * 32).digest()


def test_a_vector_kept_so_that_the_encoding_never_drifts() -> None:
    row, _ = Tip.start("exchange").extend(entry(2), 1_700_000_000_000_000)

    assert leaf(row).hex() == "52c1e546b1e72a3a0fd1c5b93b6b0907a52eecce8af0deea20df850d910e162d"


@given(one=ROWS, other=ROWS)
def test_rows_that_differ_have_leaves_that_differ(one: Row, other: Row) -> None:
    assert (leaf(one) == leaf(other)) == (one[:-1] == other[:-1])


def test_recorded_times_never_fall() -> None:
    clock = TestClock(9_000)
    _, tip = Tip.start("w").extend(entry(1), clock())

    row, _ = tip.extend(entry(1), 1)

    assert (row.occurred_at, row.recorded_at) == (1, tip.recorded_at)
