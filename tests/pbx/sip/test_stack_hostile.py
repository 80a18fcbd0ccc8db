"""Mutated messages never raise, never grow a table past its bound, never reach another flow."""

from __future__ import annotations

import random

import pytest

from pbx.sip.events import MessageRefused, RequestReceived, ResponseReceived
from pbx.sip.flows import FlowId, FlowLimits
from pbx.sip.message import Request
from pbx.sip.parser import parse_message
from pbx.sip.stack import Stack, StackConfig
from tests.support.pair import ALICE, EXCHANGE, answer, facts, raw, request

OFFER = b"v=0\r\n"
LIMITS = FlowLimits(per_stranger=16, strangers=32)


def corpus(stack: Stack) -> list[bytes]:
    """Honest requests, and honest responses to what the stack itself asked."""
    dialog = ("To", "<sip:1002@clinic.example>;tag=x")
    messages = [
        raw(request("INVITE", ("Supported", "100rel, timer"), body=OFFER), "z9hG4bKi"),
        raw(request("ACK", dialog), "z9hG4bKi"),
        raw(request("CANCEL"), "z9hG4bKi"),
        raw(request("PRACK", dialog, ("RAck", "1 1 INVITE")), "z9hG4bKp"),
        raw(request("BYE", dialog), "z9hG4bKb"),
        raw(request("REGISTER", ("Expires", "60")), "z9hG4bKr"),
        raw(request("UPDATE", dialog, ("Session-Expires", "1800"), body=OFFER), "z9hG4bKu"),
    ]
    for method in ("INVITE", "OPTIONS"):
        stack.request(FlowId(1), request(method, ("Call-ID", method), body=OFFER), 0.0)
    for _, data in stack.outgoing():
        asked = parse_message(data)
        assert isinstance(asked, Request)
        for status in (100, 183, 200, 486):
            reliable = [("Require", "100rel"), ("RSeq", "1")] if status == 183 else []
            reply = answer(asked, status, *reliable)
            reply.headers.amend("To", f"{reply.headers.first('To')};tag=peer")
            messages.append(reply.encode())
    return messages


def mutate(data: bytes, dice: random.Random) -> bytes:
    lines = data.split(b"\r\n")
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(lines))
        match dice.randrange(6):
            case 0:
                lines.insert(place, lines[dice.randrange(len(lines))])
            case 1:
                del lines[place]
                lines = lines or [b""]
            case 2:
                cut = dice.randrange(len(lines[place]) + 1)
                lines[place] = lines[place][:cut] + dice.randbytes(2) + lines[place][cut + 2 :]
            case 3:
                lines[place] = lines[place].replace(b"1", b"99999999999")
            case 4:
                name = dice.choice([b"Require", b"Contact", b"To", b"RAck", b"RSeq", b"Min-SE"])
                lines.insert(1, name + b": " + dice.choice([b"", b"*", b",", b'"', b"<>", b"-1"]))
            case _:
                lines[place] = lines[place][::-1]
    return b"\r\n".join(lines)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_a_peer_sends_raises_or_piles_up(seed):
    dice = random.Random(seed)
    stack = Stack(StackConfig(limits=LIMITS))
    for flow in (1, 2):
        stack.flow_opened(FlowId(flow), facts(EXCHANGE, ALICE))
    messages = corpus(stack)
    for step in range(1500):
        now = step * 0.05
        stack.receive(FlowId(dice.choice([1, 2])), mutate(dice.choice(messages), dice), now)
        for event in stack.events():
            if isinstance(event, RequestReceived) and dice.random() < 0.7:
                status = dice.choice([180, 200, 401, 486])
                if event.request.method != "INVITE":
                    status = 200
                stack.respond(event.transaction, answer(event.request, status), now)
        stack.expire(now)
        stack.outgoing()
        assert len(stack.snapshot().transactions) <= LIMITS.strangers
    for late in range(4):
        stack.expire(1000.0 + 100 * late)
    stack.events()
    for flow in (1, 2):
        stack.flow_closed(FlowId(flow), 2000.0)
    stack.expire(2000.0)
    assert stack.snapshot().transactions == ()


def test_random_bytes_are_counted_and_dropped():
    dice = random.Random(7)
    stack = Stack()
    stack.flow_opened(FlowId(1), facts(EXCHANGE, ALICE))
    for _ in range(300):
        stack.receive(FlowId(1), dice.randbytes(dice.randrange(400)), 0.0)
    assert all(isinstance(event, MessageRefused) for event in stack.events())
    assert stack.counters.malformed == 300


def test_a_response_to_nothing_is_dropped():
    stack = Stack()
    stack.flow_opened(FlowId(1), facts(EXCHANGE, ALICE))
    for data in corpus(stack)[-4:]:
        stack.receive(FlowId(1), data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKno"), 0.0)
    assert not [e for e in stack.events() if isinstance(e, ResponseReceived)]
    assert stack.counters.stray == 4
