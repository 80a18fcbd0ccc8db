"""The `[sip]` table: where SIP over TLS is served and what a stranger may cost us.

TLS is not a setting: there is no plaintext listener to configure.
"""

import ipaddress
from typing import Annotated

import msgspec

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
"""0 lets the kernel choose, for tests."""

_BOUNDS = {
    "max_head_bytes": (4_096, 65_536),
    "max_body_bytes": (4_096, 1_048_576),
    "max_flows": (1, 100_000),
    "max_strangers_per_address": (1, 100_000),
    "max_strangers": (1, 100_000),
    "max_messages_before_login": (4, 1_000),
    "max_buffered_bytes": (1_048_576, 4_294_967_296),
    "max_unsent_bytes": (65_536, 16_777_216),
    "handshake_seconds": (1, 60),
    "first_message_seconds": (1, 600),
    "login_seconds": (1, 3_600),
    "unread_seconds": (1, 600),
    "partial_message_seconds": (1, 600),
}


class SipConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[sip]"""

    listen: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 - phones come from everywhere
    """Addresses to listen on, IPv4 and IPv6."""

    port: Port = 5061
    """Log-in by digest with SHA-256."""

    md5_port: Port = 5062
    """Log-in by digest with MD5; open only while a recorded exception is in force."""

    certificate_port: Port = 5063
    """Log-in by a client certificate of our own authority."""

    max_head_bytes: int = 16_384
    """A longer head closes the flow."""

    max_body_bytes: int = 65_536
    """A longer body closes the flow."""

    max_flows: int = 12_000
    """Connections in all."""

    max_strangers: int = 6_000
    """Connections in all that have not logged in yet."""

    max_strangers_per_address: int = 512
    """The same from one address; those logged in do not count, a clinic is one address."""

    max_messages_before_login: int = 32
    """A flow that has not logged in after so many messages is closed."""

    max_buffered_bytes: int = 134_217_728
    """Partial messages and unsent answers of all flows together."""

    max_unsent_bytes: int = 1_048_576
    """A peer that leaves so much of ours unread is closed."""

    handshake_seconds: int = 10
    """From the connection to the end of the TLS handshake."""

    first_message_seconds: int = 60
    """From the connection to the first whole SIP message."""

    login_seconds: int = 180
    """From the connection to a log-in; a stranger may not stay."""

    unread_seconds: int = 30
    """How long a peer may leave what we sent unread."""

    partial_message_seconds: int = 20
    """From the first byte of a message to its last."""

    def __post_init__(self) -> None:
        if not self.listen:
            raise ValueError("listen: at least one address")
        for address in self.listen:
            _check_address(address)
        ports = [port for port in (self.port, self.md5_port, self.certificate_port) if port]
        if len(set(ports)) != len(ports):
            raise ValueError("port, md5_port, certificate_port: must differ")
        if 5060 in ports:
            raise ValueError("port: 5060 is the port of plain SIP and stays closed")
        for key, (low, high) in _BOUNDS.items():
            if not low <= getattr(self, key) <= high:
                raise ValueError(f"{key}: must be {low} to {high}")


def _check_address(address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise ValueError("listen: each must be an IPv4 or IPv6 address") from None
