from storage.identifiers import new_id, system_clock


def test_an_identifier_is_version_7_of_its_millisecond() -> None:
    made = new_id(lambda: 1_700_000_000_123_456)

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == 1_700_000_000_123


def test_identifiers_of_one_moment_differ() -> None:
    assert len({new_id(lambda: 1) for _ in range(1000)}) == 1000


def test_the_clock_counts_microseconds() -> None:
    assert 1_700_000_000_000_000 < system_clock() < 5_000_000_000_000_000
