from storage.database import Database
from storage.ledger.unit import Pending, Unit
from tests.support.ledger import entry


async def work(unit: object) -> None: ...


async def test_an_answer_is_given_once() -> None:
    pending = Pending(work)

    pending.succeed(1)
    pending.succeed(2)
    pending.fail(ValueError())

    assert await pending.answer == 1


async def test_a_failure_is_given_once() -> None:
    pending = Pending(work)

    pending.fail(ValueError())
    pending.succeed(1)

    assert isinstance(pending.answer.exception(), ValueError)


async def test_a_unit_collects_what_it_records(database: Database) -> None:
    async with database.begin() as connection:
        unit = Unit(connection)
        unit.record(entry(1))
        unit.record(entry(2))

    assert unit.entries == [entry(1), entry(2)]
    assert unit.rows == ()


async def test_only_work_can_be_abandoned_a_note_is_written_all_the_same() -> None:
    unit, note = Pending(work), Pending(None, [entry()])
    for pending in (unit, note):
        pending.answer.cancel()

    assert (unit.is_note, unit.is_abandoned) == (False, True)
    assert (note.is_note, note.is_abandoned) == (True, False)
