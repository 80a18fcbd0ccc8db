"""Reason (RFC 3326): why a request such as CANCEL or BYE was sent."""

from __future__ import annotations

from msgspec import Struct

from pbx.sip.grammar import (
    Parameters,
    number,
    quote,
    token,
    unquote,
    value_and_parameters,
    write_parameters,
)


class Reason(Struct, frozen=True):
    """One reason-value."""

    protocol: str
    """SIP, Q.850 or an extension."""
    parameters: Parameters = {}

    @classmethod
    def parse(cls, text: str) -> Reason:
        """protocol *( SEMI reason-params )"""
        protocol, parameters = value_and_parameters(text, "Reason")
        return cls(token(protocol, "Reason"), parameters)

    @classmethod
    def sip(cls, cause: int, text: str) -> Reason:
        """A SIP status code and its meaning."""
        return cls("SIP", {"cause": str(cause), "text": quote(text)})

    @property
    def cause(self) -> int | None:
        """The status or cause code."""
        value = self.parameters.get("cause")
        return None if value is None else number(value, "Reason", 999)

    @property
    def text(self) -> str:
        """What people read."""
        return unquote(self.parameters.get("text") or "")

    def __str__(self) -> str:
        return self.protocol + write_parameters(self.parameters)
