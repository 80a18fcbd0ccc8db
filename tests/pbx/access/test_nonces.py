"""Nonces bound to flow and time, and the counts seen with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.access.nonces import KEPT, LIFETIME, REORDER, Nonces
from pbx.sip.flows import FlowId

KEY = b"k" * 32
HERE, ELSEWHERE = FlowId(1), FlowId(2)


def is_current(nonces: Nonces, nonce: str, flow: FlowId, now: float) -> bool:
    return nonces.recognise(nonce, flow, now) is not None


def spend(nonces: Nonces, nonce: str, flow: FlowId, count: int) -> bool:
    birth = nonces.recognise(nonce, flow, 10.0)
    return birth is not None and nonces.spend(birth, flow, count)


def test_a_nonce_is_current_on_its_flow_until_it_is_too_old() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.mint(HERE, 100.0)

    assert is_current(nonces, nonce, HERE, 100.0)
    assert is_current(nonces, nonce, HERE, 99.0 + LIFETIME)
    assert not is_current(nonces, nonce, HERE, 100.1 + LIFETIME)
    assert not is_current(nonces, nonce, ELSEWHERE, 100.0)
    assert not is_current(Nonces(b"x" * 32), nonce, HERE, 100.0)


def test_nonces_of_one_moment_differ() -> None:
    nonces = Nonces(KEY)

    assert len({nonces.mint(HERE, now) for now in (5.0, 5.0, 5.0, 4.0, 6.0)}) == 5


@pytest.mark.parametrize("bad", ["", "x", "é" * 38, "!" * 38, "A" * 38, "A" * 5000])
def test_what_we_did_not_mint_is_not_current(bad: str) -> None:
    nonces = Nonces(KEY)

    assert not is_current(nonces, bad, HERE, 0.0)
    assert not spend(nonces, bad, HERE, 1)


def test_every_changed_character_spoils_a_nonce() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.mint(HERE, 1.0)

    for place in range(len(nonce) - 1):  # the last one has bits that mean nothing
        other = "A" if nonce[place] != "A" else "B"
        assert not is_current(nonces, nonce[:place] + other + nonce[place + 1 :], HERE, 1.0)


def test_challenges_cost_no_memory() -> None:
    nonces = Nonces(KEY)

    for number in range(100):
        nonces.mint(FlowId(number), 1.0)

    assert len(nonces) == 0


def test_a_count_is_taken_once() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.mint(HERE, 1.0)

    taken = [spend(nonces, nonce, HERE, count) for count in (1, 1, 2, 4, 3, 3, 2, 1, 2000, 5)]

    assert taken == [True, False, True, True, True, False, False, False, True, False]


def test_a_count_is_between_1_and_the_highest_eight_digits() -> None:
    nonces = Nonces(KEY)
    nonce = nonces.mint(HERE, 1.0)

    assert [spend(nonces, nonce, HERE, count) for count in (0, -1, 2**32, 2**32 - 1)] == [
        False,
        False,
        False,
        True,
    ]


@given(st.lists(st.integers(1, 100), max_size=60))
def test_no_order_of_counts_lets_one_be_taken_twice(counts: list[int]) -> None:
    nonces = Nonces(KEY)
    nonce = nonces.mint(HERE, 1.0)
    highest, seen = 0, set()

    for count in counts:
        expected = count not in seen and count > highest - REORDER
        assert spend(nonces, nonce, HERE, count) is expected
        seen.add(count)
        highest = max(highest, count)


def test_a_nonce_pushed_out_by_newer_ones_is_used_up() -> None:
    nonces = Nonces(KEY)
    minted = [nonces.mint(HERE, float(second)) for second in range(1, KEPT + 3)]
    unused, *used = minted

    for nonce in used:
        assert spend(nonces, nonce, HERE, 1)

    assert [is_current(nonces, nonce, HERE, 10.0) for nonce in minted] == [False] * 2 + [
        True
    ] * KEPT
    assert not spend(nonces, used[0], HERE, 2)
    assert not spend(nonces, unused, HERE, 1)
    assert spend(nonces, used[-1], HERE, 2)


def test_what_was_used_up_since_it_was_recognised_is_not_taken() -> None:
    nonces = Nonces(KEY)
    births = [
        nonces.recognise(nonces.mint(HERE, float(second)), HERE, 10.0)
        for second in range(1, KEPT + 3)
    ]

    taken = [birth is not None and nonces.spend(birth, HERE, 1) for birth in births[1:]]

    assert all(taken)
    assert births[0] is not None
    assert not nonces.spend(births[0], HERE, 1)


def test_what_a_flow_used_goes_with_it() -> None:
    nonces = Nonces(KEY)
    spend(nonces, nonces.mint(HERE, 1.0), HERE, 1)
    assert len(nonces) == 1

    nonces.forget(HERE)
    nonces.forget(ELSEWHERE)

    assert len(nonces) == 0
