"""The three listeners for phones: SHA-256 digest, client certificates, and MD5 by exception."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from certs.authority import Authority
from pbx.directory import Directory
from pbx.transport.config import SipConfig
from pbx.transport.credentials import Credentials
from pbx.transport.driver import Driver
from pbx.transport.listener import Listener
from storage.identifiers import Clock

log = structlog.get_logger()

SHA256, MD5, CERTIFICATE = "sha256", "md5", "certificate"


class Listening:
    """Open from the start, closed at the end; the MD5 port while an exception is in force."""

    def __init__(
        self,
        authority: Authority,
        driver: Driver,
        sip: SipConfig,
        directory: Callable[[], Directory],
        clock: Clock,
    ) -> None:
        self._sip, self._directory, self._clock = sip, directory, clock
        self._credentials = Credentials(authority, driver)
        self._sha256 = self._credentials.listener(SHA256)
        self._md5 = self._credentials.listener(MD5)
        self._certificate = self._credentials.certificate_listener(CERTIFICATE)

    def open(self) -> dict[str, str]:
        """Let phones in; where they are let in, for whoever starts us."""
        self._sha256.open(self._sip.listen, self._sip.port)
        self._certificate.open(self._sip.listen, self._sip.certificate_port)
        self._set_md5_door()
        return {
            "SIP over TLS": _shown(self._sha256.endpoints),
            "SIP with client certificates": _shown(self._certificate.endpoints),
        }

    def refresh(self) -> None:
        """Certificates or exceptions may have changed."""
        self._credentials.refresh()
        self._set_md5_door()

    def close(self) -> None:
        """No new connections."""
        for listener in (self._sha256, self._md5, self._certificate):
            listener.close()

    def port(self, *, md5: bool = False) -> int:
        """Where phones with a password connect to."""
        if md5:
            return _port(self._md5, self._sip.md5_port)
        return _port(self._sha256, self._sip.port)

    @property
    def certificate_port(self) -> int:
        return _port(self._certificate, self._sip.certificate_port)

    @property
    def alarm(self) -> str:
        """What is wrong with the certificates; empty: nothing."""
        return self._credentials.alarm

    def snapshot(self) -> dict[str, str]:
        """For `pbx status`."""
        return {
            "listening": _shown(self._sha256.endpoints),
            "client certificates": _shown(self._certificate.endpoints),
            "MD5 exceptions": _shown(self._md5.endpoints) or "closed",
        }

    def _set_md5_door(self) -> None:
        now = self._clock()
        wanted = any(entry.md5_until > now for entry in self._directory().entries.devices)
        if wanted and not self._md5.endpoints:
            self._md5.open(self._sip.listen, self._sip.md5_port)
            log.warning("the MD5 port is open for phones with an exception")
        elif not wanted and self._md5.endpoints:
            self._md5.close()
            log.info("the MD5 port is closed")


def _port(listener: Listener, configured: int) -> int:
    """The port it listens on; one that is still closed will be the configured one."""
    return listener.endpoints[0][1] if listener.endpoints else configured


def _shown(endpoints: list[tuple[str, int]]) -> str:
    hosts = [f"[{host}]" if ":" in host else host for host, _ in endpoints]
    return ", ".join(f"{host}:{port}" for host, (_, port) in zip(hosts, endpoints, strict=True))
