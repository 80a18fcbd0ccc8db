"""A real call between two phones made for it: encrypted on both legs, and heard at both ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from pbx.doctor.finding import Broken, CannotTell, Finding, judged
from pbx.testcall.errors import CallTestFailed
from pbx.testcall.phone import Line
from pbx.testcall.run import place

NO_TRIAL = "needs two phones to try with: sign in first (pbx login)"


@dataclass(frozen=True, slots=True)
class Trial:
    """Two phones that exist for the examination alone; the second one has the number."""

    caller: Line
    callee: Line
    number: str


def findings(trial: Trial | None) -> Iterator[Finding]:
    yield judged("a call is encrypted on both legs and heard at both ends", partial(heard, trial))


def heard(trial: Trial | None) -> str:
    if trial is None:
        raise CannotTell(NO_TRIAL)
    try:
        found = asyncio.run(place(trial.caller, trial.callee, trial.number))
    except CallTestFailed as failure:
        raise Broken(str(failure)) from None
    suites = " and ".join(found.suites)
    seconds = " and ".join(f"{one:.1f} s" for one in found.heard)
    return f"{found.tls}; {suites}; {seconds} of the tone"
