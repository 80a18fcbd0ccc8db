"""An unknown name takes as long to refuse as a wrong password.

The test: 12,000 refusals of each class in random order, timed one by one. Whoever guesses the
class from the time at the best possible threshold is right with probability (1 + D) / 2, D being
the Kolmogorov-Smirnov distance of the two samples. D above 0.04 (right more often than 52 times in
100, for somebody who reads the CPU's clock around the call) fails. Of equal classes one run in a
thousand has D above 0.025; a look-up that skips one hash has D near 1, a microsecond 0.2.
"""

from __future__ import annotations

import gc
import random
import time
from bisect import bisect_right
from uuid import UUID

from pbx.access.authenticate import Admitted, Doors, Gate
from pbx.access.lockout import Lockout, LockoutConfig
from pbx.access.nonces import Nonces
from pbx.b2bua.identity import Place
from pbx.directory import DeviceEntry, Directory, Entries
from pbx.sip.digest import Algorithm, answer, ha1
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response, response_to

TRIES = 12_000
FLOW = FlowId(1)
FACTS = FlowFacts(local=("192.0.2.9", 5061), peer=("192.0.2.1", 1), listener="sha256")


def gate_of(names: list[str], kind: type[Gate] = Gate) -> Gate:
    devices = tuple(
        DeviceEntry(
            id=UUID(int=number),
            username=name,
            place=Place.LOBBY,
            ha1=ha1(Algorithm.SHA_256, name, "r", "right"),
        )
        for number, name in enumerate(names)
    )
    directory = Directory(Entries(made_at=0, devices=devices))
    return kind(
        Doors(
            realm="r",
            devices=lambda: directory,
            nonces=Nonces(b"k" * 32),
            lockout=Lockout(LockoutConfig(failures=1000)),
            clock=lambda: 0,
            failed=lambda failure: None,
        )
    )


def refusal(gate: Gate, name: str) -> Request:
    bare = Request("REGISTER", "sip:r", Headers(("Via", "SIP/2.0/TLS h"), ("To", "sip:r")))
    challenged = gate.admit(FLOW, FACTS, bare, 1.0)
    assert isinstance(challenged, Response)
    (challenge,) = challenged.challenges("WWW-Authenticate")
    proof = answer(challenge, name, "wrong", ("REGISTER", "sip:r"), cnonce="c")
    bare.headers.add("Authorization", str(proof))
    return bare


def distance(one: list[int], other: list[int]) -> float:
    """Kolmogorov-Smirnov."""
    one, other = sorted(one), sorted(other)
    return max(
        abs(bisect_right(one, point) / len(one) - bisect_right(other, point) / len(other))
        for point in (*one, *other)
    )


def measured(gate: Gate, known: list[str], unknown: list[str], tries: int) -> list[list[int]]:
    """Nanoseconds of CPU for each refusal: of known names, and of unknown ones."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    shuffled = random.Random(seed)
    classes = [0, 1] * tries
    shuffled.shuffle(classes)
    times: list[list[int]] = [[], []]
    gc.disable()
    try:
        for which in classes:
            request = refusal(gate, shuffled.choice((known, unknown)[which]))
            start = time.thread_time_ns()
            gate.admit(FLOW, FACTS, request, 1.0)
            times[which].append(time.thread_time_ns() - start)
    finally:
        gc.enable()
    return times


KNOWN = [f"p{number:09d}" for number in range(200)]
UNKNOWN = [f"q{number:09d}" for number in range(200)]


def test_time_does_not_tell_an_unknown_name_from_a_wrong_password() -> None:
    known, unknown = measured(gate_of(KNOWN), KNOWN, UNKNOWN, TRIES)

    assert len(known) == len(unknown) == TRIES
    assert distance(known, unknown) < 0.04


class Hasty(Gate):
    """The planted defect: a name that nobody has is not checked against anything."""

    def admit(
        self, flow: FlowId, facts: FlowFacts, request: Request, now: float
    ) -> Admitted | Response:
        if any(proof.username in self.missing for proof in request.authorizations):
            return response_to(request, 401)
        return super().admit(flow, facts, request, now)

    missing: frozenset[str] = frozenset(UNKNOWN)


def test_the_measurement_notices_a_check_that_is_left_out() -> None:
    known, unknown = measured(gate_of(KNOWN, Hasty), KNOWN, UNKNOWN, 1_000)

    assert distance(known, unknown) > 0.2
