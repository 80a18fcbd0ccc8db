from storage.ledger.health import HealthRecord


def test_an_outage_is_news_once() -> None:
    record = HealthRecord(lambda: 5)

    assert [record.failed(), record.failed()] == [True, False]
    assert (record.now.unavailable_since, record.now.outages) == (5, 1)
    record.recovered()
    assert record.now.is_available
    assert record.now.unavailable_since is None
    assert record.failed()


def test_counters_add_up() -> None:
    record = HealthRecord(lambda: 5)
    record.count(refused=1, spooled=2, lost=3, steps=4)
    record.count(refused=1)
    record.waiting(9)

    now = record.now
    assert (now.refused, now.spooled, now.lost, now.backward_steps) == (2, 2, 3, 4)
    assert now.waiting == 9
