"""RFC 4733 events."""

import struct

from media.worker.dtmf import EventDecoder


def event(number: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", number, 0x80 if end else 0, duration)


def test_a_digit_is_told_once_at_its_end_whose_copies_are_passed_over() -> None:
    decoder = EventDecoder()

    assert decoder.receive(1, event(5, 160)) == []
    assert decoder.is_open
    assert decoder.receive(1, event(5, 800, end=True)) == [("5", 100)]
    assert decoder.receive(1, event(5, 800, end=True)) == []
    assert not decoder.is_open
    assert decoder.flush() == []


def test_a_digit_whose_end_was_lost_ends_with_the_next_one() -> None:
    decoder = EventDecoder()
    decoder.receive(1, event(1, 400))

    assert decoder.receive(2, event(11, 160, end=True)) == [("1", 50), ("#", 20)]


def test_a_digit_whose_end_was_lost_can_be_asked_for() -> None:
    decoder = EventDecoder(48_000)
    decoder.receive(1, event(10, 4800))

    assert decoder.flush() == [("*", 100)]


def test_the_same_digit_twice_is_two_digits() -> None:
    decoder = EventDecoder()

    told = [decoder.receive(t, event(7, 160, end=True)) for t in (1, 2)]

    assert told == [[("7", 20)], [("7", 20)]]


def test_what_was_for_somebody_else_is_not_told_by_a_copy_of_its_end() -> None:
    decoder = EventDecoder()
    decoder.pass_over(1, event(5, 160))
    decoder.pass_over(1, event(5, 800, end=True))
    decoder.pass_over(2, event(6, 160))

    assert decoder.receive(1, event(5, 800, end=True)) == [], "told to whom it was for"
    assert decoder.receive(3, event(7, 160, end=True)) == [("7", 20)], "nor is one without an end"


def test_other_events_and_stumps_are_passed_over() -> None:
    decoder = EventDecoder()

    assert decoder.receive(1, event(16, 160, end=True)) == []
    assert decoder.receive(1, b"\5\0") == []
