"""The `[media]` table."""

import ipaddress
import os

import msgspec

FILES_PER_LEG = 2
FILES_BESIDES = 64
"""Control sockets, epoll, logs, libraries: measured below 20."""


class MediaConfig(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """[media]"""

    workers: int = 0
    """Relay processes; 0: one for each core."""

    first_port: int = 16384
    last_port: int = 32767
    """UDP ports of all workers; each worker has its own slice. Below Linux's ephemeral ports."""

    advertise: dict[str, str] = {}
    """Local address -> what session descriptions say instead (public address of a site)."""

    early_networks: tuple[str, ...] = ()
    """Sites we may send to before a packet has authenticated, beside the flow's own source."""

    relatch_after: float = 0.5
    """Seconds of silence after which a leg listens for a changed source (NAT rebinding)."""

    silence_limit: float = 30.0
    """Seconds without an authenticated packet on a leg that should send, then `Silent` is told."""

    hold_limit: float = 3600.0
    """The same for a leg on hold, which RTCP alone keeps alive."""

    orphan_limit: float = 900.0
    """Seconds without a word from the exchange after which a worker ends its legs."""

    messages_low: int = 2048
    """MiB free on the disk of messages below which it is alarmed."""

    messages_reserve: int = 256
    """MiB free below which no message is taken."""

    prompts: str = ""
    """Directory of the clinic's own recordings (NAME.wav); empty: the packaged ones only."""

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= 256:
            raise ValueError("workers: 0 (one for each core) to 256")
        if not 1024 <= self.first_port < self.last_port <= 65535:
            raise ValueError("first_port: 1024 or more and below last_port, at most 65535")
        if self.pairs_per_worker < 1:
            raise ValueError("last_port: leaves each worker fewer than two ports")
        for local, public in self.advertise.items():
            if not (_is_address(local) and _is_address(public)):
                raise ValueError("advertise: maps one IP address to one IP address")
        for network in self.early_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise ValueError("early_networks: each is a network such as 192.0.2.0/24") from None
        if not 0.1 <= self.relatch_after <= 10:
            raise ValueError("relatch_after: 0.1 to 10 seconds")
        if not 1 <= self.silence_limit <= self.hold_limit <= 86_400:
            raise ValueError("silence_limit: 1 second or more and at most hold_limit (a day)")
        if not 10 <= self.orphan_limit <= 86_400:
            raise ValueError("orphan_limit: 10 seconds to a day")
        if not 1 <= self.messages_reserve <= self.messages_low <= 1 << 24:
            raise ValueError("messages_reserve: 1 MiB or more and at most messages_low (16 TiB)")

    @property
    def worker_count(self) -> int:
        """How many workers there are."""
        return self.workers or os.cpu_count() or 1

    @property
    def pairs_per_worker(self) -> int:
        """How many legs one worker can hold: an even and an odd port each."""
        first = self.first_port + self.first_port % 2
        return (self.last_port - first + 1) // 2 // self.worker_count

    @property
    def files_per_worker(self) -> int:
        """What RLIMIT_NOFILE has to allow a worker."""
        return self.pairs_per_worker * FILES_PER_LEG + FILES_BESIDES

    def ports_of(self, index: int) -> range:
        """The even ports of one worker's slice; each has its odd neighbour above it."""
        first = self.first_port + self.first_port % 2 + 2 * index * self.pairs_per_worker
        return range(first, first + 2 * self.pairs_per_worker, 2)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
