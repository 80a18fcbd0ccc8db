"""Whose fault it is when SIP goes wrong.

SipError
├── PeerError    the peer broke the protocol: answer `status`, or drop a response
└── LocalError   we were about to break it: a bug or bad input of ours, nothing was sent

Messages name the field and the rule, never the value: values carry names and numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pbx.sip.message import Request


class SipError(Exception):
    """The base of every error of this package."""


class PeerError(SipError):
    """The peer broke the protocol; `status` is how we answer it."""

    def __init__(self, header: str, rule: str, status: int = 400) -> None:
        super().__init__(f"{header}: {rule}")
        self.header, self.rule, self.status = header, rule, status
        self.request: Request | None = None
        """What can be answered with `status`; None: there is too little of it, or it is an ACK."""


class LocalError(SipError):
    """We tried to send what the protocol forbids."""

    def __init__(self, header: str, rule: str) -> None:
        super().__init__(f"{header}: {rule}")
        self.header, self.rule = header, rule
