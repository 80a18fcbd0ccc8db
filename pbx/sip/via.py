"""Via (RFC 3261 sections 18 and 20.42, RFC 3581, RFC 5923)."""

from __future__ import annotations

import re

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import TOKEN, Parameters, parameters, write_parameters
from pbx.sip.hosts import HOST, host, port

MAGIC = "z9hG4bK"
"""Begins the branch of every RFC 3261 element (section 8.1.1.7)."""

_via = re.compile(
    rf"SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+({TOKEN})[ \t]++({HOST})"
    r"(?:[ \t]*+:[ \t]*+([0-9]++))?[ \t]*+(.*+)",
    re.IGNORECASE | re.DOTALL,
).fullmatch


class Via(Struct, frozen=True, kw_only=True):
    """One hop of the way back."""

    transport: str
    """Upper case."""
    host: str
    port: int | None = None
    parameters: Parameters = {}

    @classmethod
    def parse(cls, text: str) -> Via:
        """One via-parm."""
        match = _via(text)
        if match is None:
            raise PeerError("Via", "is SIP/2.0/transport host;parameters")
        transport, host_text, port_text, rest = match.groups()
        return cls(
            transport=transport.upper(),
            host=host(host_text, "Via"),
            port=None if port_text is None else port(port_text, "Via"),
            parameters=parameters(rest, "Via") if rest else {},
        )

    @property
    def sent_by(self) -> str:
        """host:port as compared by transaction matching (section 17.2.3)."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The transaction identifier; None from RFC 2543 elements."""
        return self.parameters.get("branch")

    @property
    def received(self) -> str | None:
        """The source address, IPv6 with or without brackets (RFC 5118 section 4.5)."""
        return self.parameters.get("received")

    @property
    def rport(self) -> int | None:
        """The source port; None if absent or only asked for (RFC 3581)."""
        return port(self.parameters.get("rport"), "Via")

    @property
    def wants_rport(self) -> bool:
        """Whether the peer asks for its source port (RFC 3581 section 3)."""
        return "rport" in self.parameters

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{write_parameters(self.parameters)}"
