"""Flows: where answers go, and how much one peer may have open."""

import pytest

from pbx.sip.flows import Flow, FlowId, FlowLimits, Flows
from pbx.sip.message import response_to
from tests.support.pair import ALICE, EXCHANGE, facts, request

LIMITS = FlowLimits(per_stranger=2, per_flow=4, strangers=3, total=6)


class Desk:
    def __init__(self) -> None:
        self.flows = Flows(LIMITS)
        self.number = 0

    def open(self, flow: int, *, known: bool = False) -> Flow:
        self.flows.open(FlowId(flow), facts(EXCHANGE, ALICE))
        if known:
            self.flows.authenticate(FlowId(flow))
        found = self.flows.get(FlowId(flow))
        assert found is not None
        return found

    def fill(self, flow: Flow) -> list[int]:
        begun = []
        while self.flows.has_room(flow):
            self.number += 1
            self.flows.began(flow, self.number)
            begun.append(self.number)
        return begun


def test_a_stranger_may_have_less_open_than_a_device():
    desk = Desk()
    assert len(desk.fill(desk.open(1))) == 2
    assert len(desk.fill(desk.open(2, known=True))) == 4


def test_strangers_together_have_a_limit_and_leave_room_for_devices():
    desk = Desk()
    assert [len(desk.fill(desk.open(n))) for n in (1, 2, 3)] == [2, 1, 0]
    assert len(desk.fill(desk.open(4, known=True))) == 3  # the total


def test_what_ends_makes_room():
    desk = Desk()
    flow = desk.open(1)
    for number in desk.fill(flow):
        desk.flows.ended(flow, number)
    assert len(desk.fill(flow)) == 2


def test_proving_oneself_frees_what_strangers_share():
    desk = Desk()
    one, two = desk.open(1), desk.open(2)
    begun = desk.fill(one)
    desk.flows.authenticate(one.id)
    desk.flows.authenticate(one.id)  # twice is once
    for number in begun:
        desk.flows.ended(one, number)
    assert [len(desk.fill(two)), len(desk.fill(desk.open(3)))] == [2, 1]


def test_what_we_ask_of_a_phone_keeps_it_from_asking_nothing():
    desk = Desk()
    flow = desk.open(1, known=True)
    for number in range(100, 200):
        desk.flows.asked(flow, number)
    assert len(desk.fill(flow)) == 4
    assert len(flow.transactions) == 104
    desk.flows.ended(flow, 100)
    assert not desk.flows.has_room(flow)


def test_large_requests_fill_a_flow_sooner():
    desk = Desk()
    flow, half = desk.open(1, known=True), LIMITS.bytes_per_flow // 2
    desk.flows.began(flow, 1, half)
    assert desk.flows.has_room(flow)
    desk.flows.began(flow, 2, half)
    assert not desk.flows.has_room(flow)
    desk.flows.ended(flow, 1)
    assert desk.flows.has_room(flow)


def test_a_call_for_help_has_room_where_nothing_else_has_but_not_without_end():
    desk = Desk()
    flow = desk.open(1, known=True)
    desk.fill(flow)
    for number in range(10, 14):
        assert desk.flows.has_room(flow, is_urgent=True)
        desk.flows.began(flow, number)
    assert not desk.flows.has_room(flow, is_urgent=True)
    assert not desk.flows.has_room(desk.open(2), is_urgent=False)


def test_nobody_can_authenticate_a_flow_that_is_gone():
    desk = Desk()
    desk.flows.authenticate(FlowId(9))
    assert desk.flows.get(FlowId(9)) is None


def test_messages_wait_in_order_and_are_handed_out_once():
    desk = Desk()
    desk.open(1)
    invite = request()
    answer = response_to(invite, 200)
    assert desk.flows.send(FlowId(1), invite) and desk.flows.send(FlowId(1), answer)
    assert desk.flows.outgoing() == [(1, invite.encode()), (1, answer.encode())]
    assert desk.flows.outgoing() == []
    assert (desk.flows.counters.requests, desk.flows.counters.responses) == (1, 1)


@pytest.mark.parametrize("was_open", [True, False])
def test_a_message_to_a_flow_that_is_gone_is_dropped_and_counted(was_open):
    desk = Desk()
    flow = desk.open(1) if was_open else None
    assert desk.flows.close(FlowId(1)) is flow
    assert not desk.flows.send(FlowId(1), response_to(request(), 200))
    assert (desk.flows.counters.late, desk.flows.outgoing(), len(desk.flows)) == (1, [], 0)
