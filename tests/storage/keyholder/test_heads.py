"""storage/keyholder/heads.py"""

import shutil
from hashlib import sha256
from uuid import UUID, uuid4

import msgspec
import pytest

from storage.keyholder import signing
from storage.keyholder.protocol import Head, Refusal, SignHead
from storage.keyholder.signing import SignedHead
from tests.support.keyholder import House

WRITER = UUID(int=5)
LEAVES = tuple(sha256(bytes([number])).digest() for number in range(40))


def chain_of(count: int) -> bytes:
    chain = bytes(32)
    for leaf in LEAVES[:count]:
        chain = sha256(chain + leaf).digest()
    return chain


async def sign(house: House, start: int, end: int, known: SignedHead | None = None) -> SignedHead:
    answer = await house.ask(SignHead(WRITER, start, LEAVES[start:end], known), Head)
    return answer.head


async def test_only_extensions_are_signed(house: House) -> None:
    first = await sign(house, 0, 10)
    second = await sign(house, 10, 15, first)

    assert (first.chain, second.chain) == (chain_of(10), chain_of(15))
    assert house.pin is not None
    assert signing.is_signed(house.pin.signing_key, second)
    assert second.journal_sequence > first.journal_sequence
    assert second.journal_chain == house.core.books.journal.position.chain


@pytest.mark.parametrize(
    "request_",
    [
        SignHead(WRITER, 3, LEAVES[3:12]),
        SignHead(WRITER, 11, LEAVES[11:12]),
        SignHead(WRITER, 10, ()),
        SignHead(WRITER, 10, (b"short",)),
        SignHead(WRITER, 10, (bytes(32),) * 10_001),
        SignHead(WRITER, 0, (*LEAVES[:8], bytes(32), *LEAVES[9:12])),
        SignHead(WRITER, 0, LEAVES[:9]),
    ],
)
async def test_a_rewritten_or_cut_ledger_gets_no_signature(
    house: House, request_: SignHead
) -> None:
    await sign(house, 0, 10)

    assert await house.holder.answer(request_) == Refusal()


async def test_a_lost_answer_is_made_good(house: House) -> None:
    """Signed, but the exchange stopped before it had stored the head."""
    first = await sign(house, 0, 10)
    await sign(house, 10, 15, first)

    again = await sign(house, 10, 20, first)
    from_start = await sign(house, 0, 25)

    assert (again.chain, from_start.chain) == (chain_of(20), chain_of(25))


async def test_a_head_of_somebody_else_is_refused(house: House) -> None:
    first = await sign(house, 0, 10)
    forged = msgspec.structs.replace(first, sequence=9)
    other = msgspec.structs.replace(first, writer=uuid4())
    for known in (forged, other):
        assert await house.holder.answer(SignHead(WRITER, 10, LEAVES[10:11], known)) == Refusal()


async def test_store_and_journal_put_back_together_are_seen_by_the_ledgers_head(
    house: House,
) -> None:
    await sign(house, 0, 10)
    house.close()
    shutil.copytree(house.directory, house.directory.parent / "yesterday")
    house.open()
    newer = await sign(house, 10, 15)
    house.close()
    shutil.rmtree(house.directory)
    shutil.copytree(house.directory.parent / "yesterday", house.directory)
    house.open()

    answer = await house.holder.answer(SignHead(WRITER, 15, LEAVES[15:16], newer))

    assert answer == Refusal()
    from storage.keyholder.surroundings import Surroundings

    report = house.holder.report(Surroundings(False, False, False))
    assert any("rolled back" in alarm for alarm in report.alarms)


async def test_two_heads_of_one_sequence_are_an_alarm(house: House) -> None:
    first = await sign(house, 0, 10)
    house.close()
    shutil.copytree(house.directory, house.directory.parent / "fork")
    house.open()
    await sign(house, 10, 15)
    house.close()
    shutil.move(house.directory, house.directory.parent / "one")
    shutil.copytree(house.directory.parent / "fork", house.directory)
    house.open()
    other = (bytes(32),) * 5
    forked = (await house.ask(SignHead(WRITER, 10, other, first), Head)).head
    house.close()
    shutil.rmtree(house.directory)
    shutil.copytree(house.directory.parent / "one", house.directory)
    house.open()

    answer = await house.holder.answer(SignHead(WRITER, 15, LEAVES[15:16], forked))

    assert answer == Refusal()


async def test_after_a_restore_heads_signed_before_it_are_believed_once(house: House) -> None:
    from storage.keyholder.records import SETTINGS, Settings
    from storage.keyholder.store import Change

    await sign(house, 0, 10)
    house.close()
    shutil.copytree(house.directory, house.directory.parent / "yesterday")
    house.open()
    newer = await sign(house, 10, 15)
    house.close()
    shutil.rmtree(house.directory)
    shutil.copytree(house.directory.parent / "yesterday", house.directory)
    house.open()
    store = house.core.store
    settings = store.get(Settings, SETTINGS)
    restored = msgspec.structs.replace(settings, restored=house.core.clock() + 1)
    store.commit(Change(put=[restored]), store.state.position, 0)

    head = await sign(house, 15, 20, newer)

    assert head.chain == chain_of(20)
    late = msgspec.structs.replace(newer, sequence=30, signed_at=house.core.clock() + 2)
    late = signing.signed_head(settings.signing_key, late)  # type: ignore[union-attr]
    assert await house.holder.answer(SignHead(WRITER, 30, LEAVES[30:31], late)) == Refusal()
