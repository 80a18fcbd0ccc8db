"""Session-Expires and Min-SE (RFC 4028 sections 4 and 5)."""

from __future__ import annotations

from msgspec import Struct

from pbx.sip.errors import PeerError
from pbx.sip.grammar import Parameters, number, value_and_parameters, write_parameters


class SessionExpires(Struct, frozen=True):
    """How long a session lives without a refresh, and who refreshes."""

    seconds: int
    parameters: Parameters = {}

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """delta-seconds *( SEMI se-params )"""
        seconds, parameters = value_and_parameters(text, "Session-Expires")
        refresher = parameters.get("refresher", "uac")
        if refresher is None or refresher.lower() not in ("uac", "uas"):
            raise PeerError("Session-Expires", "the refresher is uac or uas")
        return cls(number(seconds, "Session-Expires", 2**32 - 1), parameters)

    @property
    def refresher(self) -> str | None:
        """ "uac", "uas" or None: not decided."""
        value = self.parameters.get("refresher")
        return value and value.lower()

    def __str__(self) -> str:
        return f"{self.seconds}{write_parameters(self.parameters)}"


def parse_min_se(text: str) -> int:
    """delta-seconds *( SEMI generic-param ); the parameters mean nothing."""
    return number(value_and_parameters(text, "Min-SE")[0], "Min-SE", 2**32 - 1)
