"""RFC 3261 §13.3.1.4 and RFC 3262 §3, as times."""

import pytest

from pbx.sip.message import Response
from pbx.sip.retransmission import Retransmission
from pbx.sip.timers import Timers

# After T1, doubling; a 2xx no further apart than T2, a provisional response ever further.
TIMES = {
    200: [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5],
    183: [0.5, 1.5, 3.5, 7.5, 15.5, 31.5],
}


@pytest.mark.parametrize("status", TIMES)
def test_it_is_repeated_until_64_t1(status):
    waiting = Retransmission(Response(status), Timers(), 0.0)
    times = []
    while waiting.deadline is not None:
        now = waiting.deadline
        if waiting.expire(now):
            times.append(now)
    assert times == TIMES[status]
    assert now == 32.0
