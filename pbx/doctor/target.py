"""What is examined: where the system says it listens, and whom its certificates must name."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from pathlib import Path

from pbx.config import Config

PLAIN_SIP = 5060


@dataclass(frozen=True, slots=True)
class Canary:
    """A phone of the operator's choice, to look behind the log-in with."""

    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running exchange as a stranger on this machine meets it."""

    domain: str
    root: Path
    """What phones trust."""
    hosts: tuple[str, ...] = ("127.0.0.1",)
    port: int = 5061
    md5_port: int = 5062
    certificate_port: int = 5063
    plain_port: int = PLAIN_SIP
    media_ports: range = range(0)
    canary: Canary | None = None
    patience: float = 3.0
    """Seconds that an answer may take; silence after them is no answer."""

    @classmethod
    def of(cls, config: Config, root: Path, canary: Canary | None) -> Target:
        sip, media = config.sip, config.media
        return cls(
            domain=config.exchange.domain,
            root=root,
            hosts=tuple(dict.fromkeys(map(_reachable, sip.listen))),
            port=sip.port,
            md5_port=sip.md5_port,
            certificate_port=sip.certificate_port,
            media_ports=range(media.first_port, media.last_port + 1),
            canary=canary,
        )

    def at(self, hosts: tuple[str, ...]) -> Target:
        return replace(self, hosts=hosts)

    def heard(self, listening: str, certificates: str) -> Target:
        """With the ports that the exchange says it has, where the configuration has none."""
        return replace(
            self,
            port=self.port or _port(listening),
            certificate_port=self.certificate_port or _port(certificates),
        )

    @property
    def host(self) -> str:
        return self.hosts[0]


def _reachable(address: str) -> str:
    """Where to knock for an address that is listened on."""
    parsed = ipaddress.ip_address(address)
    if not parsed.is_unspecified:
        return address
    return "127.0.0.1" if parsed.version == 4 else "::1"


def _port(shown: str) -> int:
    """The port of `address:port, address:port`; 0 where nothing is shown."""
    digits = shown.partition(",")[0].rpartition(":")[2]
    return int(digits) if digits.isdigit() else 0
