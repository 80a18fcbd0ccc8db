"""CSeq (RFC 3261 section 20.16) and RAck (RFC 3262 section 7.2)."""

from __future__ import annotations

import re

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import TOKEN, number

HIGHEST = 2**31 - 1
_cseq = re.compile(rf"([0-9]{{1,20}})[ \t]++({TOKEN})").fullmatch
_rack = re.compile(rf"([0-9]++)[ \t]++([0-9]++)[ \t]++({TOKEN})").fullmatch


class CSeq(Struct, frozen=True):
    """Orders the requests of a dialog."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """1*DIGIT LWS Method; the number is below 2**31."""
        match = _cseq(text)
        if match is None:
            raise PeerError("CSeq", "is a number and a method")
        value = int(match[1])
        if value > HIGHEST:
            raise PeerError("CSeq", "the number is below 2**31")
        return cls(value, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class RAck(Struct, frozen=True):
    """Which reliable provisional response a PRACK acknowledges."""

    rseq: int
    cseq: CSeq

    @classmethod
    def parse(cls, text: str) -> RAck:
        """response-num LWS CSeq-num LWS Method."""
        match = _rack(text)
        if match is None:
            raise PeerError("RAck", "is two numbers and a method")
        cseq = CSeq(number(match[2], "RAck", HIGHEST), match[3])
        return cls(number(match[1], "RAck", 2**32 - 1), cseq)

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq}"
