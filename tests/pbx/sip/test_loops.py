"""Max-Forwards (RFC 3261 §16.3) and loop marks (RFC 5393)."""

import pytest

from pbx.sip.errors import PeerError
from pbx.sip.loops import LoopMark, forwards
from tests.support.pair import request

OURS = "192.0.2.100:5061"


@pytest.mark.parametrize(("value", "left"), [("70", 69), ("1", 0), ("255", 69)])
def test_each_leg_has_one_hop_less(value, left):
    assert forwards(request("INVITE", ("Max-Forwards", value))) == left


def test_without_max_forwards_the_count_starts_with_us():
    invite = request()
    invite.headers.remove("Max-Forwards")
    assert forwards(invite) == 69


def test_at_zero_it_ends():
    with pytest.raises(PeerError) as error:
        forwards(request("INVITE", ("Max-Forwards", "0")))
    assert error.value.status == 483


def returned(mark: LoopMark, target: str, *, sent_by: str = OURS, branch: str | None = None):
    """Our request as it comes back through a proxy."""
    invite = request()
    invite.uri = "sip:1002@clinic.example"
    ours = mark.branch(target) if branch is None else branch
    for via in (f"SIP/2.0/TLS {sent_by};branch={ours}", "SIP/2.0/TLS proxy;branch=z9hG4bKp"):
        invite.headers.prepend("Via", via)
    return invite


def test_a_request_that_comes_back_unchanged_is_a_loop():
    mark = LoopMark()
    assert mark.is_loop(returned(mark, "sip:1002@clinic.example"), OURS)


def test_a_spiral_has_another_target():
    mark = LoopMark()
    assert not mark.is_loop(returned(mark, "sip:other@clinic.example"), OURS)


def test_others_branches_are_not_ours():
    mark = LoopMark(b"k" * 32)
    target = "sip:1002@clinic.example"
    assert not mark.is_loop(returned(mark, target, sent_by="elsewhere"), OURS)
    assert not mark.is_loop(returned(mark, target, branch="z9hG4bKshort"), OURS)
    forged = LoopMark(b"x" * 32).branch(target)
    assert not mark.is_loop(returned(mark, target, branch=forged), OURS)


def test_a_via_without_branch_is_no_mark():
    invite = returned(LoopMark(), "sip:1002@clinic.example")
    invite.headers.add("Via", f"SIP/2.0/TLS {OURS}")
    assert not LoopMark().is_loop(invite, OURS)


def test_branches_are_unique_and_begin_with_the_cookie():
    mark = LoopMark()
    branches = {mark.branch("sip:a@b") for _ in range(100)}
    assert len(branches) == 100 and all(b.startswith("z9hG4bK") for b in branches)
