"""RFC 3262: provisional responses that arrive, in order, once."""

import pytest

from pbx.sip import reliable
from pbx.sip.dialog import Dialog
from pbx.sip.errors import LocalError, PeerError
from pbx.sip.message import Response, response_to
from pbx.sip.reliable import MOST_TAKEN, ProvisionalOrder, ReliableProvisionals, is_reliable
from pbx.sip.timers import Timers
from tests.support.pair import request

INVITE = request(body=b"v=0")


def response(status: int, body: bytes = b"") -> Response:
    answer = response_to(INVITE, status, to_tag="bob")
    answer.body = body
    return answer


def prack(of: Response, **changes: str):
    rack = {"rseq": of.headers.first("RSeq"), "cseq": "1", "method": "INVITE"} | changes
    return request("PRACK", ("RAck", " ".join(str(v) for v in rack.values())))


def test_a_response_is_marked_and_repeated_until_its_prack():
    machine = ReliableProvisionals(Timers())
    assert machine.deadline is None
    sent = machine.offer(response(183), 0.0)
    assert sent is not None and is_reliable(sent)
    assert machine.deadline == 0.5
    assert machine.expire(0.5) is sent
    assert machine.deadline == 1.5
    assert machine.acknowledge(prack(sent), 1.0)
    assert machine.deadline is None and machine.next(1.0) is None
    assert not machine.acknowledge(prack(sent), 1.0)


def test_what_nobody_confirms_is_given_up():
    machine = ReliableProvisionals(Timers())
    machine.offer(response(183), 0.0)
    machine.offer(response(180), 0.0)
    repeats = 0
    while machine.expire(machine.deadline or 0.0) is not None:
        repeats += 1
    assert repeats == 6 and machine.deadline is None and machine.next(32.0) is None
    assert machine.expire(33.0) is None


@pytest.mark.parametrize("wrong", [{"rseq": "1"}, {"cseq": "2"}, {"method": "UPDATE"}])
def test_a_prack_of_something_else_confirms_nothing(wrong):
    machine = ReliableProvisionals(Timers())
    machine._rseq = 5
    sent = machine.offer(response(183), 0.0)
    assert sent is not None
    assert not machine.acknowledge(prack(sent, **wrong), 0.1)
    assert machine.deadline == 0.5


def test_a_prack_says_what_it_confirms():
    with pytest.raises(PeerError, match="RAck"):
        ReliableProvisionals(Timers()).acknowledge(request("PRACK"), 0.0)


def test_the_next_waits_for_the_prack_and_is_numbered_higher():
    machine = ReliableProvisionals(Timers())
    one = machine.offer(response(180), 0.0)
    assert machine.offer(response(183), 0.0) is None
    assert machine.next(0.0) is None
    assert one is not None and machine.acknowledge(prack(one), 0.1)
    two = machine.next(0.1)
    assert two is not None and two.status == 183
    assert two.number("RSeq") == (one.number("RSeq") or 0) + 1


def test_only_so_many_wait():
    machine = ReliableProvisionals(Timers())
    for _ in range(17):
        machine.offer(response(180), 0.0)
    with pytest.raises(LocalError, match="only so many"):
        machine.offer(response(180), 0.0)


@pytest.mark.parametrize(
    ("pending", "waiting", "final", "held"),
    [
        (None, [], 200, False),
        (b"", [], 200, False),
        (b"v=0", [], 200, True),
        (b"", [180], 200, True),
        (b"v=0", [180], 486, False),
    ],
)
def test_a_2xx_waits_for_an_unconfirmed_description_and_a_refusal_for_nothing(
    pending, waiting, final, held
):
    machine = ReliableProvisionals(Timers())
    if pending is not None:
        machine.offer(response(183, pending), 0.0)
    for status in waiting:
        machine.offer(response(status), 0.0)
    assert machine.holds_back(response(final)) == held


def test_a_held_2xx_comes_out_as_it_is():
    machine = ReliableProvisionals(Timers())
    early = machine.offer(response(183, b"v=0"), 0.0)
    assert machine.offer(response(200), 0.0) is None
    assert early is not None and machine.acknowledge(prack(early), 0.1)
    final = machine.next(0.1)
    assert final is not None and final.status == 200 and "RSeq" not in final.headers
    machine.end()
    assert machine.deadline is None


def test_require_is_written_once():
    machine = ReliableProvisionals(Timers())
    marked = response(183)
    marked.headers.add("Require", "100rel")
    sent = machine.offer(marked, 0.0)
    assert sent is not None and sent.require == ("100rel",)


def received(rseq: str | None, status: int = 183, require: str = "100rel") -> Response:
    answer = response(status)
    if rseq is not None:
        answer.headers.add("RSeq", rseq)
    if require:
        answer.headers.add("Require", require)
    return answer


def test_each_number_is_taken_once_and_in_order():
    order = ProvisionalOrder()
    taken = [order.take(received(rseq)) for rseq in ("7", "7", "9", "8")]
    assert taken == [True, False, False, True]


def test_only_so_many_responses_to_one_request_are_confirmed():
    order = ProvisionalOrder()
    taken = [order.take(received(str(rseq))) for rseq in range(1, 2 * MOST_TAKEN)]
    assert taken == [True] * MOST_TAKEN + [False] * (MOST_TAKEN - 1)


@pytest.mark.parametrize("rseq", ["0", None])
def test_no_number_is_no_order(rseq):
    assert not ProvisionalOrder().take(received(rseq))


@pytest.mark.parametrize(
    ("answer", "reliable"),
    [
        (received("1"), True),
        (received(None), False),
        (received("1", require=""), False),
        (received("1", status=200), False),
        (received("1", status=100), False),
    ],
)
def test_what_must_be_confirmed(answer, reliable):
    assert is_reliable(answer) == reliable


def test_a_prack_names_what_it_confirms():
    dialog = Dialog.as_uac(INVITE, received("7"))
    confirmation = reliable.prack(dialog, received("7"), b"v=0", "application/sdp")
    assert confirmation.headers.first("RAck") == "7 1 INVITE"
    assert (confirmation.method, confirmation.cseq.number, confirmation.body) == (
        "PRACK",
        2,
        b"v=0",
    )
    assert confirmation.content_type == "application/sdp"
