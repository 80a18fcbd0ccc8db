"""Tells systemd how the service is doing: one datagram a message (sd_notify(3))."""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Systemd:
    """The service manager, or nobody where there is none."""

    address: str | None
    watchdog: float | None
    """Seconds between signs of life that systemd expects at most; None: it expects none."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Systemd":
        address = environment.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            address = None
        digits = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        known = digits.isascii() and digits.isdigit() and len(digits) <= 18 and int(digits) > 0
        return cls(address, int(digits) / 1e6 if known and meant else None)

    def ready(self, sentence: str) -> None:
        self._send("READY=1", f"STATUS={sentence}")

    def reloading(self) -> None:
        # Type=notify-reload wants the clock of the moment the reload began.
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        # Said again soon: not for this does a loop that relays voice wait.
        self._send("WATCHDOG=1", patience=0.0)

    def _send(self, *lines: str, patience: float = 0.5) -> None:
        if self.address is None:
            return
        name = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            # A manager that does not read must not stop us from serving calls.
            channel.settimeout(patience)
            try:
                channel.connect(name)
                channel.send("\n".join(lines).encode())
            except OSError:
                return
