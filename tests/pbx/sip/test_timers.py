"""RFC 3261 Table 4, what is left of it on a reliable transport."""

from pbx.sip.timers import Timers


def test_the_defaults_are_the_rfcs():
    timers = Timers()
    assert (timers.t1, timers.t2, timers.trying) == (0.5, 4.0, 0.2)
    assert [timers.b, timers.f, timers.h, timers.l, timers.m] == [32.0] * 5


def test_a_late_100_comes_when_timer_e_reaches_t2():
    assert Timers().late_trying == 3.5  # 0.5 + 1 + 2, RFC 4320 §4.1
    assert Timers(t1=1.0, t2=8.0).late_trying == 7.0


def test_all_follow_t1():
    timers = Timers(t1=0.1)
    assert [timers.b, timers.f, timers.h, timers.l, timers.m] == [6.4] * 5
