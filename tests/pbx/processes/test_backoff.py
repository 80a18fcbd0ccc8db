from pbx.processes.backoff import LONG_ENOUGH, LONGEST, Backoff


def test_the_first_restart_is_all_but_immediate() -> None:
    assert Backoff().after(lived=0.1) < 0.5


def test_a_crash_loop_waits_twice_as_long_each_time_up_to_a_limit() -> None:
    backoff = Backoff()

    delays = [backoff.after(lived=0.1) for _ in range(12)]

    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == LONGEST


def test_a_child_that_lived_long_enough_starts_afresh() -> None:
    backoff = Backoff()
    for _ in range(8):
        backoff.after(lived=0.1)

    assert backoff.after(lived=LONG_ENOUGH) == Backoff().after(lived=0.1)
