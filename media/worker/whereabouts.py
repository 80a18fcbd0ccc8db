"""Where a leg may send before a packet of its phone has authenticated: we are no reflector."""

import ipaddress
from functools import cached_property

from media.config import MediaConfig
from media.sdp.offer_answer import Agreed
from media.values import Place

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_PROVEN = 16


class Whereabouts:
    """What signalling knows of the phone's place."""

    def __init__(self, place: Place, config: MediaConfig) -> None:
        self._place, self._config = place, config
        self._proven: set[str] = set()

    def prove(self, address: str) -> None:
        """Whoever is there knows what only the phone was told."""
        if len(self._proven) < MOST_PROVEN:
            self._proven.add(address)

    def may_send_to(self, address: str) -> bool:
        """Only where its signalling comes from, or a check of its, or to a site of ours."""
        if (":" in address) != (":" in self._place.local):
            return False
        if address == self._place.peer or address in self._proven:
            return True
        there = _address(address)
        return there is not None and (
            there == self._peer or any(there in network for network in self._networks)
        )

    @cached_property
    def _peer(self) -> IPAddress | None:
        return _address(self._place.peer)

    @cached_property
    def _networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(network) for network in self._config.early_networks]


def _address(text: str) -> IPAddress | None:
    """An IPv6 address may be written with its zone."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def named_by(agreed: Agreed) -> tuple[str | None, int, int]:
    """Where the phone says it is: address, port of RTP, port of RTCP."""
    return agreed.remote.address, agreed.remote.port, agreed.remote.rtcp_port
