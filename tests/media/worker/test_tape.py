"""media/worker/tape.py: seconds from packets, in time and out of it."""

from media.worker.codecs.conversion import packets
from media.worker.tape import SLACK, SPREAD, Tape

QUIET, LATE = b"\xff" * 160, SLACK + SPREAD


def tape(codec: str = "pcmu", clock: int = 8000) -> Tape:
    return Tape(codec, clock, QUIET, 10.0)  # type: ignore[arg-type]


def frame(octet: int) -> memoryview:
    return memoryview(bytes([octet]) * 160)


def test_packets_become_seconds_and_gaps_silence() -> None:
    made = tape()
    for number in range(60):
        if number != 3:
            made.take(5000 + 160 * number, frame(number), 10.0 + 0.02 * number)

    assert list(made.due(11.0)) == []
    [second] = made.due(11.0 + LATE)
    assert len(second) == 8000
    assert second[:480] == b"\0" * 160 + b"\1" * 160 + b"\2" * 160
    assert second[480:640] == QUIET
    assert second[-160:] == bytes([49]) * 160
    rest, milliseconds = made.rest(11.2)
    assert (len(rest), milliseconds, rest[:160]) == (1600, 200, bytes([50]) * 160)
    assert made.seconds == 1


def test_order_is_that_of_the_timestamps_around_their_wrap() -> None:
    made = tape()
    first = 2**32 - 160
    for number in (0, 2, 1, 3):
        made.take((first + 160 * number) % 2**32, frame(number), 10.0 + 0.02 * number)

    rest, milliseconds = made.rest(10.08)
    assert milliseconds == 80
    assert rest == b"".join(bytes([number]) * 160 for number in range(4))


def test_what_comes_too_late_or_from_a_new_clock_does_not_move_what_is_there() -> None:
    made = tape()
    made.take(1000, frame(1), 10.0)
    [second] = made.due(11.0 + LATE)
    made.take(1160, frame(2), 11.2)  # a second late: already sealed
    made.take(900_000_000, frame(3), 11.5)  # the phone's clock began anew
    rest, milliseconds = made.rest(11.7)

    assert second[:160] == bytes([1]) * 160
    assert milliseconds == 700
    assert rest[4000:4160] == bytes([3]) * 160
    assert set(rest[:4000]) == {0xFF}


def test_no_packet_at_all_is_silence() -> None:
    made = tape()
    assert [set(second) for second in made.due(13.0 + LATE)] == [{0xFF}] * 3
    assert made.rest(13.0) == (bytearray(), 0)


def test_packets_over_the_end_of_a_second_and_of_the_tape() -> None:
    made = tape()
    made.take(0, frame(1), 10.0)
    made.take(7960, frame(2), 10.99)
    [second] = made.due(11.0 + LATE)
    rest, _ = made.rest(11.0)
    assert second[-40:] == bytes([2]) * 40
    assert rest == b""


def test_opus_packets_keep_their_places() -> None:
    made = tape("opus", 48_000)
    for number, size in enumerate((40, 3, 70)):
        made.take(960 * number, memoryview(bytes([number]) * size), 10.0 + 0.02 * number)
    made.take(48_000, memoryview(b"next"), 11.0)
    [second] = made.due(11.0 + LATE)
    made.take(0, memoryview(b"late"), 11.1)
    made.take(48_960, memoryview(bytes(61_000)), 11.1)

    found = [(at, bytes(octets)) for at, octets in packets("opus", memoryview(second))]
    assert found == [(0, b"\0" * 40), (20, b"\1" * 3), (40, b"\2" * 70)]
    rest, milliseconds = made.rest(11.5)
    assert ([bytes(o) for _, o in packets("opus", memoryview(rest))], milliseconds) == (
        [b"next"],
        500,
    )
