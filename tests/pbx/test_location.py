"""Bindings of devices, as flows come and go."""

import pytest

from pbx.location import Binding, Bound, Cause, Location, Unbound
from pbx.sip.flows import FlowId


def binding(device: str = "d1", flow: int = 1, port: int = 5061, **changes: object) -> Binding:
    facts: dict[str, object] = {
        "device": device,
        "node": "n1",
        "flow": FlowId(flow),
        "uri": f"sip:1001@192.0.2.1:{port}",
        "call_id": "c1",
        "cseq": 1,
        "expires_at": 600.0,
        "since": 0.0,
        "seen": 0.0,
    }
    return Binding(**(facts | changes))  # type: ignore[arg-type]


def test_the_first_binding_starts_a_registration_and_the_last_ends_it():
    location = Location()
    one, two = binding(), binding(port=5062)
    assert location.bind(one) == Bound(one, is_new=True, is_first=True)
    assert location.bind(two) == Bound(two, is_new=True, is_first=False)
    assert len(location) == 2 and set(map(id, location)) == {id(one), id(two)}
    assert location.unbind(two, Cause.UNREGISTERED) == [Unbound(two, Cause.UNREGISTERED, False)]
    assert location.unbind(one, Cause.UNREGISTERED) == [Unbound(one, Cause.UNREGISTERED, True)]
    assert location.unbind(two, Cause.UNREGISTERED) == []
    assert len(location) == 0


def test_refreshing_keeps_since_and_moves_the_deadline():
    location = Location()
    old = binding()
    location.bind(old)
    assert location.next_deadline() == 600.0
    new = binding(cseq=2, expires_at=900.0, since=300.0, seen=300.0)
    bound = location.bind(new, old)
    assert (bound.is_new, bound.is_first) == (False, False)
    assert location.bindings_of("d1") == [bound.binding]
    assert (bound.binding.since, bound.binding.seen) == (0.0, 300.0)
    assert location.next_deadline() == 900.0
    assert location.expire(899.0) == []
    assert location.expire(900.0) == [Unbound(bound.binding, Cause.EXPIRED, True)]
    assert location.next_deadline() is None


def test_replacing_what_has_ended_makes_a_new_binding():
    location = Location()
    old = binding()
    location.bind(old)
    location.unbind(old, Cause.REPLACED)
    assert location.bind(binding(), old).is_new


def test_the_preferred_binding_comes_first_then_the_latest():
    location = Location()
    for port, q, seen in ((1, 0.5, 9.0), (2, 1.0, 1.0), (3, 1.0, 2.0)):
        location.bind(binding(port=port, q=q, seen=seen))
    assert [b.uri[-1] for b in location.bindings_of("d1")] == ["3", "2", "1"]
    assert location.bindings_of("nobody") == []


def test_a_flow_that_dies_takes_its_bindings_and_no_other():
    location = Location()
    gone, other, stays = binding(), binding("d2"), binding(flow=2, port=5062)
    for each in (gone, other, stays):
        location.bind(each)
    changes = location.flow_lost(FlowId(1))
    assert changes == [
        Unbound(gone, Cause.FLOW_LOST, False),
        Unbound(other, Cause.FLOW_LOST, True),
    ]
    assert list(location) == [stays]
    assert location.flow_lost(FlowId(1)) == []


def test_a_moved_binding_outlives_its_old_flow():
    location = Location()
    old = binding()
    location.bind(old)
    moved = location.bind(binding(flow=2), old).binding
    assert location.flow_lost(FlowId(1)) == []
    assert location.bindings_of("d1") == [moved]


def test_the_newest_flow_is_the_one_the_device_proved_itself_on():
    location = Location()
    assert location.flow_of("d1") is None
    location.bind(binding(flow=1, port=1, seen=1.0))
    location.bind(binding(flow=2, port=2, seen=2.0))
    assert location.flow_of("d1") == 2
    location.flow_proved("d1", FlowId(1))
    assert location.flow_of("d1") == 1
    location.flow_lost(FlowId(1))
    assert location.flow_of("d1") == 2
    location.flow_lost(FlowId(2))
    assert location.flow_of("d1") is None


def test_losing_an_old_flow_leaves_the_newest_alone():
    location = Location()
    location.bind(binding(flow=1, port=1))
    location.bind(binding(flow=2, port=2))
    location.flow_lost(FlowId(1))
    assert location.flow_of("d1") == 2


def test_a_removed_device_is_nowhere():
    location = Location()
    location.bind(binding())
    location.bind(binding("d2"))
    assert [c.cause for c in location.device_removed("d1")] == [Cause.REMOVED]
    assert location.device_removed("d1") == []
    assert location.flow_of("d1") is None
    assert len(location.bindings_of("d2")) == 1


@pytest.mark.parametrize("count", [1, 50])
def test_nothing_is_left_when_all_have_expired(count):
    location = Location()
    for number in range(count):
        location.bind(binding(f"d{number}", flow=number, expires_at=float(number)))
    assert len(location.expire(1e9)) == count
    assert len(location) == 0 and location.next_deadline() is None


def test_a_device_falls_back_when_a_flow_without_its_binding_closes():
    location = Location()
    location.bind(binding(flow=1))
    location.flow_proved("d1", FlowId(2))
    location.flow_proved("d2", FlowId(2))
    location.flow_proved("d2", FlowId(3))
    assert location.flow_lost(FlowId(2)) == []
    assert (location.flow_of("d1"), location.flow_of("d2")) == (FlowId(1), FlowId(3))
    location.flow_lost(FlowId(3))
    assert location.flow_of("d2") is None
