"""A small network of our own: phones behind a NAT router, and the exchange beyond it.

Three network namespaces joined by veth pairs; nothing leaves the machine. Addresses are the
documentation prefixes of RFC 5737.

    phones 192.0.2.10 ── 192.0.2.1 router (NAT) 198.51.100.1 ── 198.51.100.10 exchange
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field

EXCHANGE = "198.51.100.10"
PHONES = "192.0.2.10"
ROUTER_OUTSIDE = "198.51.100.1"

NAT_TABLE = """
table ip nat {{
    chain out {{
        type nat hook postrouting priority 100;
        oifname "outside" ip protocol udp snat to {address}:{ports}
        oifname "outside" masquerade
    }}
}}
"""


def run(*command: str, feed: str | None = None) -> str:
    return subprocess.run(command, check=True, input=feed, text=True, capture_output=True).stdout


@dataclass
class NatNetwork:
    """`with NatNetwork() as network:` — needs root, ip and nft."""

    name: str = field(default_factory=lambda: f"px{os.getpid() % 100000}{os.urandom(1).hex()}")

    def __enter__(self) -> NatNetwork:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for part in ("phones", "router", "exchange"):
            subprocess.run(["ip", "netns", "del", f"{self.name}-{part}"], capture_output=True)

    def _build(self) -> None:
        for part in ("phones", "router", "exchange"):
            run("ip", "netns", "add", f"{self.name}-{part}")
            self.inside(part, "ip", "link", "set", "lo", "up")
        self._join("phones", "eth0", f"{PHONES}/24", "inside", "192.0.2.1/24")
        self._join("exchange", "eth0", f"{EXCHANGE}/24", "outside", f"{ROUTER_OUTSIDE}/24")
        self.inside("phones", "ip", "route", "add", "default", "via", "192.0.2.1")
        self.inside("router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.map_ports("20000-29999")

    def _join(self, part: str, name: str, address: str, router: str, gateway: str) -> None:
        # Created inside the router's namespace, so that names never collide on the host.
        there = f"{self.name}-{part}"
        self.inside(
            "router",
            *("ip", "link", "add", router, "type", "veth", "peer", "name", name, "netns", there),
        )
        self.inside(part, "ip", "addr", "add", address, "dev", name)
        self.inside(part, "ip", "link", "set", name, "up")
        self.inside("router", "ip", "addr", "add", gateway, "dev", router)
        self.inside("router", "ip", "link", "set", router, "up")

    def prefix(self, part: str) -> tuple[str, ...]:
        """What to put before a command so that it runs in this namespace."""
        return ("ip", "netns", "exec", f"{self.name}-{part}")

    def inside(self, part: str, *command: str, feed: str | None = None) -> str:
        return run(*self.prefix(part), *command, feed=feed)

    def map_ports(self, ports: str) -> None:
        """New UDP flows leave from these source ports; flows that exist are forgotten."""
        self.inside("router", "nft", "flush", "ruleset")
        table = NAT_TABLE.format(address=ROUTER_OUTSIDE, ports=ports)
        self.inside("router", "nft", "-f", "-", feed=table)
        self.inside("router", "conntrack", "-D", "-p", "udp") if self._has_flows() else None

    def _has_flows(self) -> bool:
        return bool(self.inside("router", "conntrack", "-L", "-p", "udp").strip())

    def cut(self) -> None:
        """Nothing passes between the phones and the router any more."""
        self.inside("router", "ip", "link", "set", "inside", "down")

    def mend(self) -> None:
        self.inside("router", "ip", "link", "set", "inside", "up")
