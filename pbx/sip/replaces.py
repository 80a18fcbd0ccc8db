"""Replaces (RFC 3891 section 6.1): which dialog a new INVITE takes the place of."""

from __future__ import annotations

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import checked, value_and_parameters


class Replaces(Struct, frozen=True):
    """A dialog, seen from whom the header is sent to: `to_tag` is its local tag."""

    call_id: str
    to_tag: str
    from_tag: str
    is_early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """callid *( SEMI replaces-param ), each tag exactly once."""
        call_id, parameters = value_and_parameters(text, "Replaces")
        to_tag, from_tag = parameters.get("to-tag"), parameters.get("from-tag")
        if not (call_id and to_tag and from_tag):
            raise PeerError("Replaces", "has a Call-ID, a to-tag and a from-tag")
        return cls(call_id, to_tag, from_tag, "early-only" in parameters)

    def __str__(self) -> str:
        early = ";early-only" if self.is_early_only else ""
        text = f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"
        return checked(text, "Replaces")
