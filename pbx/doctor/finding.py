"""What a check says: a promise holds, does not, or cannot be told from here, with evidence."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    HOLDS = "holds"
    BROKEN = "does not"
    UNKNOWN = "cannot tell"


class Finding(msgspec.Struct, frozen=True):
    """One line. Neither numbers of people nor secrets are evidence."""

    promise: str
    verdict: Verdict
    evidence: str


class CannotTell(Exception):
    """A check cannot be made from here; the text says why."""


class Broken(Exception):
    """The promise does not hold; the text is the evidence."""


def judged(promise: str, check: Callable[[], str]) -> Finding:
    """Make one check: its answer is the evidence that the promise holds.

    What the network does to us is never taken for a success.
    """
    try:
        return Finding(promise, Verdict.HOLDS, check())
    except Broken as broken:
        return Finding(promise, Verdict.BROKEN, str(broken))
    except CannotTell as unknown:
        return Finding(promise, Verdict.UNKNOWN, str(unknown))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Finding(promise, Verdict.UNKNOWN, f"{reason}")
