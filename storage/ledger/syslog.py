"""Anchors to a syslog server over TLS (RFC 5425: octet counting; RFC 5424: the message)."""

import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from storage.ledger.anchors import Anchor

PRIORITY = 13 * 8 + 5
"""Facility "log audit", severity "notice" (RFC 5424 §6.2.1)."""
PORT = 6514
SECONDS = 10.0


class SyslogPlace:
    """One connection per anchor; closed with a TLS close_notify, so that a cut does not pass."""

    name = "syslog"

    def __init__(self, host: str, port: int = PORT, *, trust: Path | None = None) -> None:
        self._host, self._port = host, port
        self._context = ssl.create_default_context(cafile=trust)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    def put(self, anchor: Anchor) -> None:
        with socket.create_connection((self._host, self._port), timeout=SECONDS) as plain:
            with self._context.wrap_socket(plain, server_hostname=self._host) as secure:
                secure.sendall(frame(message(anchor, socket.gethostname())))
                # Our close_notify is out; a server need not wait to answer it (RFC 5425 §4.4).
                with suppress(ssl.SSLError, TimeoutError):
                    secure.unwrap()


def message(anchor: Anchor, host: str) -> bytes:
    at = datetime.fromtimestamp(anchor.made_at / 1_000_000, UTC)
    stamp = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = "".join(c for c in host if 33 <= ord(c) <= 126)[:255] or "-"
    head = f"<{PRIORITY}>1 {stamp} {name} hipaa-pbx - ANCHOR - "
    return head.encode() + anchor.to_text().encode()


def frame(text: bytes) -> bytes:
    """MSG-LEN SP SYSLOG-MSG (RFC 5425 §4.3)."""
    return str(len(text)).encode() + b" " + text
