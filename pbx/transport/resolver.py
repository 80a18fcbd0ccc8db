"""Where to connect for a domain (RFC 3263), for TLS alone.

An address and an explicit port are taken as they are; else NAPTR says whether SIPS+D2T is offered
and under which name its SRV records are; without NAPTR `_sips._tcp` is asked for; without SRV the
addresses of the domain itself, port 5061. Other transports are not considered: a domain that
offers no TLS cannot be reached.

The certificate is checked against the domain that was asked for, never against what DNS answered
(RFC 5922 §5): DNS may be forged.
"""

import ipaddress
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
from dns.rdata import Rdata
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from pbx.transport.errors import LocalError

DEFAULT_PORT = 5061
MOST_TARGETS = 16
"""A zone that lists more is not ours to walk through."""

_SERVICE = b"SIPS+D2T"
_PATIENCE = 8.0  # seconds for one question, all servers and retries together

R = TypeVar("R", bound=Rdata)


@dataclass(frozen=True, slots=True)
class Target:
    """One place to try; in order."""

    address: str
    port: int


class Dns(Protocol):
    """The records of a name; none when there are none. `dnspython` behind it."""

    async def records(self, name: str, kind: str) -> Sequence[Rdata]: ...


class SystemDns:
    """Through the servers of this machine's resolv.conf."""

    async def records(self, name: str, kind: str) -> Sequence[Rdata]:
        try:
            answer = await dns.asyncresolver.resolve(name, kind, lifetime=_PATIENCE)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException:
            raise LocalError("DNS did not answer; the domain cannot be looked up.") from None
        return list(answer)


class Resolver:
    """RFC 3263 §4, with TLS as the only transport."""

    def __init__(self, names: Dns, chance: Callable[[], float] = random.random) -> None:
        self._dns = names
        self._chance = chance  # the spread of SRV weights is no secret

    async def targets(self, host: str, port: int | None = None) -> list[Target]:
        """Where to try, in order; LocalError when there is nowhere."""
        literal = _address(host)
        if literal is not None:
            return [Target(literal, port or DEFAULT_PORT)]
        if port is not None:
            found = await self._addresses(host, port)
        else:
            found = await self._services(host) or await self._addresses(host, DEFAULT_PORT)
        if not found:
            raise LocalError("The domain has no address in DNS that offers SIP over TLS.")
        return found[:MOST_TARGETS]

    async def _services(self, host: str) -> list[Target]:
        naptr = _of(NAPTR, await self._dns.records(host, "NAPTR"))
        offered = [r for r in naptr if r.service.upper() == _SERVICE and r.flags.lower() == b"s"]
        if naptr and not offered:
            raise LocalError("The domain offers SIP in DNS, but not over TLS.")
        names = [
            r.replacement.to_text(omit_final_dot=True)
            for r in sorted(offered, key=lambda r: (r.order, r.preference))
        ]
        for name in names or [f"_sips._tcp.{host}"]:
            servers = _of(SRV, await self._dns.records(name, "SRV"))
            targets: list[Target] = []
            for server in spread(servers, self._chance):
                target = server.target.to_text(omit_final_dot=True)
                if target and len(targets) < MOST_TARGETS:  # "." means: no service here
                    targets += await self._addresses(target, server.port)
            if targets:
                return targets
        return []

    async def _addresses(self, host: str, port: int) -> list[Target]:
        six = await self._dns.records(host, "AAAA")
        four = await self._dns.records(host, "A")
        return [Target(record.to_text(), port) for record in (*six, *four)]


def spread(servers: Sequence[SRV], chance: Callable[[], float]) -> list[SRV]:
    """By priority, and within one by weighted chance (RFC 2782)."""
    ordered: list[SRV] = []
    for priority in sorted({server.priority for server in servers}):
        waiting = [server for server in servers if server.priority == priority]
        while waiting:
            drawn = _draw(waiting, chance())
            waiting.remove(drawn)
            ordered.append(drawn)
    return ordered


def _draw(servers: Sequence[SRV], chance: float) -> SRV:
    # A weight of 0 keeps "a very small chance": those stand first in the running sum.
    by_weight = sorted(servers, key=lambda server: server.weight > 0)
    mark = chance * sum(server.weight for server in by_weight)
    running = 0
    for server in by_weight:
        running += server.weight
        if running >= mark:
            return server
    return by_weight[-1]


def _of(kind: type[R], records: Sequence[Rdata]) -> list[R]:
    return [record for record in records if isinstance(record, kind)]


def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None
