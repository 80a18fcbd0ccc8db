"""What the halves of a stack share."""

from pbx.sip.events import FlowClosed
from pbx.sip.flows import FlowId
from pbx.sip.shared import Shared, StackConfig


def test_ids_are_new_and_events_keep_their_order():
    shared = Shared(StackConfig())
    assert shared.new_id() != shared.new_id()
    events = [FlowClosed(FlowId(1)), FlowClosed(FlowId(2))]
    for event in events:
        shared.report(event)
    assert shared.events == events


def test_two_stacks_share_nothing():
    one, two = Shared(StackConfig()), Shared(StackConfig())
    one.report(FlowClosed(FlowId(1)))
    assert two.events == [] and one.flows is not two.flows


def test_sessions_expire_by_default():
    assert StackConfig().session is not None
