from typing import Any

import pytest

from storage.database import Database
from storage.keyholder.client import Refused
from storage.keyholder.signing import SignedHead
from storage.ledger import heads
from storage.ledger.heads import HeadMaker, newest, signed, writer_id
from storage.ledger.reading import Reader
from tests.support.ledger import Signer, TestClock, fill

JANUARY, FEBRUARY = 1_704_100_000_000_000, 1_706_800_000_000_000


async def all_heads(database: Database) -> list[heads.Head]:
    async with database.read() as connection:
        return await Reader(connection).heads()


async def test_without_a_signer_heads_are_made_unsigned(database: Database) -> None:
    rows = await fill(database, 3)
    maker = HeadMaker(database, clock=TestClock(), signer=None)

    assert await maker.make("exchange") == 1
    assert await maker.make("exchange") == 0

    (head,) = await all_heads(database)
    assert (head.number, head.sequence, head.hash) == (1, 3, rows[-1].hash)
    assert signed(head) is None


async def test_a_signed_head_carries_the_journals_head_and_checks(database: Database) -> None:
    await fill(database, 3)
    signer = Signer(TestClock())

    assert await HeadMaker(database, clock=TestClock(), signer=signer).make("exchange") == 1

    (head,) = await all_heads(database)
    proof = signed(head)
    assert proof is not None
    assert signer.is_genuine(proof)
    assert (proof.writer, proof.journal_sequence) == (writer_id("exchange"), 7)


async def test_what_was_written_while_the_key_holder_was_away_is_signed_later(
    database: Database,
) -> None:
    clock, signer = TestClock(), Signer(TestClock())
    maker = HeadMaker(database, clock=clock, signer=signer)
    await fill(database, 2, clock=clock)
    await maker.make("exchange")
    signer.is_away = True
    for _ in range(2):
        await fill(database, 2, clock=clock)
        await maker.make("exchange")
    signer.is_away = False
    await fill(database, 1, clock=clock)

    await maker.make("exchange")

    made = [
        (head.number, head.sequence, signed(head) is not None) for head in await all_heads(database)
    ]
    assert made == [(1, 2, True), (2, 4, False), (3, 6, False), (4, 7, True)]


async def test_a_head_does_not_span_two_months(database: Database) -> None:
    await fill(database, 2, clock=TestClock(JANUARY))
    await fill(database, 3, clock=TestClock(FEBRUARY))
    signer = Signer(TestClock())

    assert await HeadMaker(database, clock=TestClock(), signer=signer).make("exchange") == 2

    assert [head.sequence for head in await all_heads(database)] == [2, 5]


async def test_long_chains_are_signed_part_by_part(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "MOST_LEAVES", 2)
    await fill(database, 5)
    signer = Signer(TestClock())

    await HeadMaker(database, clock=TestClock(), signer=signer).make("exchange")

    assert [head.sequence for head in await all_heads(database)] == [2, 4, 5]


async def test_a_key_holder_that_sees_another_ledger_signs_nothing_of_ours(
    database: Database,
) -> None:
    class Stranger(Signer):
        async def sign_head(self, *arguments: object) -> SignedHead:
            return SignedHead(writer_id("exchange"), 9, b"x" * 32, 1, b"j", 1, b"s")

    await fill(database, 2)
    maker = HeadMaker(database, clock=TestClock(), signer=Stranger(TestClock()))

    await maker.make("exchange")

    (head,) = await all_heads(database)
    assert (head.sequence, head.signature) == (2, None)
    assert maker.is_disputed


async def test_a_key_holder_that_refuses_to_sign_is_a_dispute_until_it_signs_again(
    database: Database,
) -> None:
    class Doubtful(Signer):
        doubts = True

        async def sign_head(self, *arguments: Any) -> SignedHead:
            if self.doubts:
                raise Refused("refused")
            return await super().sign_head(*arguments)

    signer = Doubtful(TestClock())
    maker = HeadMaker(database, clock=TestClock(), signer=signer)
    await fill(database, 2)

    await maker.make("exchange")
    disputed = maker.is_disputed
    signer.doubts = False
    await maker.make("exchange")

    assert (disputed, maker.is_disputed) == (True, False)


async def test_the_newest_head_can_be_asked_for_by_signature(database: Database) -> None:
    clock, signer = TestClock(), Signer(TestClock())
    await fill(database, 1, clock=clock)
    await HeadMaker(database, clock=clock, signer=signer).make("exchange")
    await fill(database, 1, clock=clock)
    await HeadMaker(database, clock=clock, signer=None).make("exchange")

    async with database.read() as connection:
        last = await newest(connection, "exchange")
        last_signed = await newest(connection, "exchange", only_signed=True)
        assert await newest(connection, "nobody") is None
    assert last and last_signed
    assert (last.number, last_signed.number) == (2, 1)
