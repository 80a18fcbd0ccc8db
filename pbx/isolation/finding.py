"""What a trial says of one path: nothing comes through, something does, or it cannot be told."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    ISOLATED = "isolated"
    BROKEN = "NOT isolated"
    UNKNOWN = "cannot tell"


class Finding(msgspec.Struct, frozen=True):
    """One path. Identifiers and counts are evidence; names, numbers and contents are not."""

    path: str
    verdict: Verdict
    evidence: str


def judged(path: str, leak: str, evidence: str) -> Finding:
    """`leak` is what came through; empty: nothing did, and `evidence` says what was tried."""
    return (
        Finding(path, Verdict.BROKEN, leak) if leak else Finding(path, Verdict.ISOLATED, evidence)
    )


def unknown(path: str, why: str) -> Finding:
    return Finding(path, Verdict.UNKNOWN, why)
