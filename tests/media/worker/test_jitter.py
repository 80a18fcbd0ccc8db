"""A phone's packets in order and at a steady pace."""

from media.worker.jitter import EASY_TURNS, MAX_SECONDS, MOST, START_SECONDS, JitterBuffer

CLOCK, STEP = 8_000, 160


def filled(*places: int, clock: int = CLOCK) -> JitterBuffer:
    buffer = JitterBuffer(clock)
    for place in places:
        buffer.put(place * STEP & 0xFFFFFFFF, str(place).encode())
    return buffer


def turn(buffer: JitterBuffer) -> bytes | None:
    taken = buffer.take()
    buffer.passed(0.02)
    buffer.settle()
    return taken


def test_it_begins_when_enough_is_held_back() -> None:
    buffer = filled(1)
    assert not buffer.is_ready() and buffer.take() is None
    buffer.passed(0.02)  # nothing has begun yet

    buffer.put(2 * STEP, b"2")

    assert buffer.seconds == START_SECONDS
    assert buffer.is_ready()


def test_packets_come_out_in_order_and_each_once() -> None:
    buffer = filled(3, 1, 2, 2)
    assert buffer.is_ready()
    assert [turn(buffer) for _ in range(4)] == [b"1", b"2", b"3", None]
    assert buffer.is_empty and buffer.seconds == 0.0


def test_a_missing_packet_is_missing_in_its_place_and_late_it_is_left_out() -> None:
    buffer = filled(1, 2, 4, 5)
    assert buffer.is_ready()
    assert [turn(buffer) for _ in range(3)] == [b"1", b"2", None]
    buffer.put(3 * STEP, b"3")
    assert [turn(buffer) for _ in range(2)] == [b"4", b"5"]
    assert buffer.late == 1


def test_what_was_passed_over_is_late() -> None:
    buffer = filled(1, 2, 3, 4)
    assert buffer.is_ready()
    buffer.passed(0.05)
    assert (buffer.late, buffer.take()) == (2, b"3")


def test_timestamps_wrap_and_packets_may_be_of_any_length() -> None:
    buffer = JitterBuffer(CLOCK)
    first = (1 << 32) - 240
    for number in range(4):
        buffer.put((first + 240 * number) & 0xFFFFFFFF, bytes([number]))
    assert buffer.is_ready()
    taken = []
    for _ in range(4):
        taken.append(buffer.take())
        buffer.passed(0.03)
    assert taken == [b"\0", b"\1", b"\2", b"\3"]


def test_a_source_that_begins_anew_is_held_back_anew() -> None:
    buffer = filled(1, 2, 3)
    assert buffer.is_ready()
    buffer.put(1_000_000 * STEP, b"new")
    assert not buffer.is_ready()
    buffer.put(1_000_001 * STEP, b"next")
    assert buffer.is_ready() and turn(buffer) == b"new"

    buffer.put(5 * STEP, b"back again")
    buffer.put(6 * STEP, b"and on")
    assert buffer.is_ready() and turn(buffer) == b"back again"


def test_a_delay_that_nothing_asks_for_any_more_shrinks() -> None:
    buffer = filled(*range(1, 7))
    assert buffer.is_ready()
    for place in range(7, 7 + EASY_TURNS):
        assert turn(buffer) is not None
        buffer.put(place * STEP, b"x")
    assert buffer.left_out == 1
    assert buffer.seconds < 0.125


def test_a_delay_that_is_needed_stays() -> None:
    buffer = filled(1, 2, 3)
    assert buffer.is_ready()
    for place in range(4, 4 + 2 * EASY_TURNS):
        assert turn(buffer) is not None
        buffer.put(place * STEP, b"x")
    assert buffer.left_out == 0


def test_a_burst_is_cut_at_once() -> None:
    buffer = filled(*range(1, 30))
    assert buffer.is_ready()
    for _ in range(25):
        turn(buffer)
        if buffer.seconds <= MAX_SECONDS:
            break
    assert buffer.left_out > 3
    filled(1).settle()  # not begun: nothing to settle


def test_no_more_waits_than_there_is_room_for() -> None:
    buffer = JitterBuffer(CLOCK)
    for tick in range(2 * MOST):
        buffer.put(tick, b"x")

    assert buffer.left_out == MOST
    assert buffer.seconds < MOST / CLOCK + 0.03
