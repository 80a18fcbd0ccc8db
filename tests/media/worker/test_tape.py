"""media/worker/tape.py: pieces of half a second from packets, in time and out of it."""

from media.worker.codecs.conversion import packets
from media.worker.tape import SLACK, SPREAD, Tape

QUIET, LATE = b"\xff" * 160, SLACK + SPREAD


def tape(codec: str = "pcmu", clock: int = 8000) -> Tape:
    return Tape(codec, clock, QUIET, 10.0)  # type: ignore[arg-type]


def frame(octet: int) -> memoryview:
    return memoryview(bytes([octet]) * 160)


def test_packets_become_pieces_and_gaps_silence() -> None:
    made = tape()
    for number in range(32):
        if number != 3:
            made.take(5000 + 160 * number, frame(number), 10.0 + 0.02 * number)

    assert list(made.due(10.5)) == []
    [piece] = made.due(made.next_due)
    assert len(piece) == 4000
    assert piece[:480] == b"\0" * 160 + b"\1" * 160 + b"\2" * 160
    assert piece[480:640] == QUIET
    assert piece[-160:] == bytes([24]) * 160
    rest, milliseconds = made.rest(10.7)
    assert (len(rest), milliseconds, rest[:160]) == (1600, 200, bytes([25]) * 160)


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
    [piece] = made.due(10.5 + LATE)
    made.take(1160, frame(2), 10.7)  # it should have come half a second ago: already sealed
    made.take(900_000_000, frame(3), 10.9)  # the phone's clock began anew
    rest, milliseconds = made.rest(10.96)

    assert piece[:160] == bytes([1]) * 160
    assert milliseconds == 460
    assert rest[3200:3360] == bytes([3]) * 160
    assert set(rest[:3200]) == {0xFF}


def test_no_packet_at_all_is_silence() -> None:
    made = tape()
    assert [set(piece) for piece in made.due(11.5 + LATE)] == [{0xFF}] * 3
    assert made.rest(11.5) == (bytearray(), 0)


def test_packets_over_the_end_of_a_piece_and_of_the_tape() -> None:
    made = tape()
    made.take(0, frame(1), 10.0)
    made.take(3960, frame(2), 10.49)
    [piece] = made.due(10.5 + LATE)
    rest, _ = made.rest(10.5)
    assert piece[-40:] == bytes([2]) * 40
    assert rest == b""


def test_at_the_end_nothing_waits_for_what_is_late() -> None:
    made = tape()
    for number in range(32):
        made.take(160 * number, frame(number), 10.0 + 0.02 * number)
    assert list(made.due(10.64)) == []
    made.end()

    [piece] = made.due(10.64)
    rest, milliseconds = made.rest(10.64)
    assert (len(piece), len(rest), milliseconds) == (4000, 1120, 140)


def test_what_is_held_back_is_less_than_a_second_however_late_the_first_packet_came() -> None:
    """The disk has what is left of the second."""
    for late in (0.0, 0.3, 1.0):
        made, most, sealed = tape(), 0, 0
        for number in range(200):
            now = 10.0 + max(0.02 * number, late)  # the first ones come all at once
            made.take(160 * number, frame(number), now)
            sealed += sum(len(piece) for piece in made.due(now))
            most = max(most, 160 * (number + 1) - sealed)
        assert most / 8000 <= 0.5 + LATE + 0.02
        made.end()
        sealed += sum(len(piece) for piece in made.due(14.0))
        rest, milliseconds = made.rest(14.0)
        assert (sealed + len(rest)) / 8 >= 4000 + 1000 * late - 20, "its last word is not cut off"
        assert len(rest) == 8 * milliseconds


def test_the_piece_is_looked_for_when_it_is_over() -> None:
    made = tape()
    assert 10.5 + SLACK <= made.next_due <= 10.5 + LATE
    assert len(list(made.due(made.next_due))) == 1
    assert 11.0 + SLACK <= made.next_due <= 11.0 + LATE


def test_opus_packets_keep_their_places() -> None:
    made = tape("opus", 48_000)
    for number, size in enumerate((40, 3, 70)):
        made.take(960 * number, memoryview(bytes([number]) * size), 10.0 + 0.02 * number)
    made.take(24_000, memoryview(b"next"), 10.5)
    [piece] = made.due(10.5 + LATE)
    assert not made.is_ripe
    made.take(0, memoryview(b"late"), 10.6)
    made.take(24_960, memoryview(bytes(61_000)), 10.6)

    found = [(at, bytes(octets)) for at, octets in packets("opus", memoryview(piece))]
    assert found == [(0, b"\0" * 40), (20, b"\1" * 3), (40, b"\2" * 70)]
    rest, milliseconds = made.rest(10.9)
    assert ([bytes(o) for _, o in packets("opus", memoryview(rest))], milliseconds) == (
        [b"next"],
        400,
    )
