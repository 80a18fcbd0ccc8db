"""Events are values."""

import pytest

from pbx.sip.events import FlowClosed, TimedOut, TransactionId
from pbx.sip.flows import FlowId


def test_events_compare_by_what_they_say_and_do_not_change():
    assert TimedOut(TransactionId(1), "B") == TimedOut(TransactionId(1), "B", None)
    with pytest.raises(AttributeError):
        FlowClosed(FlowId(1)).flow = FlowId(2)  # type: ignore[misc]
