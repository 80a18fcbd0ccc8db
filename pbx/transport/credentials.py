"""The listeners' TLS contexts follow the authority's directory, whoever changes it.

A renewal by the exchange, an import or a revocation by a command: what counts is the files. New
connections get the new context at once; no connection is dropped, except those of devices whose
certificate was revoked.
"""

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from certs.authority import Authority
from certs.contexts import identities, mutual_context, server_context
from certs.errors import CertsError
from certs.names import identity_of
from certs.stock import load_certificate
from pbx.transport.driver import Driver
from pbx.transport.listener import Listener

_log = structlog.get_logger()

Fingerprint = frozenset[tuple[str, int, int]]


class Credentials:
    """Makes listeners and keeps their contexts current; `refresh` is cheap, call it often."""

    def __init__(self, authority: Authority, driver: Driver) -> None:
        self._authority = authority
        self._driver = driver
        self._plain: list[Listener] = []
        self._mutual: list[Listener] = []
        self._seen = self._fingerprint()
        self._revoked = frozenset(authority.revocations())
        self.alarm = ""
        """One sentence while the files cannot be used; the last good contexts go on serving."""

    def listener(self, name: str) -> Listener:
        """For log-in by digest: asks for no client certificate."""
        found = self._driver.listener(name, self._server_context())
        self._plain.append(found)
        return found

    def certificate_listener(self, name: str) -> Listener:
        """For log-in by a certificate of our own authority."""
        found = self._driver.listener(name, self._mutual_context())
        self._mutual.append(found)
        return found

    def refresh(self) -> bool:
        """Take over what has changed on disk; True if anything had."""
        fingerprint = self._fingerprint()
        if fingerprint == self._seen:
            return False
        try:
            self._replace(self._plain, self._server_context)
            self._replace(self._mutual, self._mutual_context)
            self._disconnect_revoked()
        except (CertsError, OSError, ssl.SSLError) as error:
            if not self.alarm:
                _log.error("the certificates on disk cannot be used; the last good ones serve")
            self.alarm = str(error) if isinstance(error, CertsError) else _UNREADABLE
            return False
        self._seen, self.alarm = fingerprint, ""
        _log.info("new connections use new certificates")
        return True

    def _server_context(self) -> ssl.SSLContext:
        return server_context(identities(self._authority.stock))

    def _mutual_context(self) -> ssl.SSLContext:
        stock = self._authority.stock
        return mutual_context(identities(stock), stock)

    def _replace(self, listeners: Iterable[Listener], make: Callable[[], ssl.SSLContext]) -> None:
        context = make()
        for listener in listeners:
            listener.replace_context(context)

    def _disconnect_revoked(self) -> None:
        revoked = frozenset(self._authority.revocations())
        for serial in revoked - self._revoked:
            path = self._authority.stock.issued / f"{serial}.pem"
            identity = identity_of(load_certificate(path)) if path.exists() else None
            if identity is not None:
                self._driver.close_identity(identity)
        self._revoked = revoked

    def _fingerprint(self) -> Fingerprint:
        stock = self._authority.stock
        files = (stock.root, stock.server, stock.revoked, stock.revocation_list)
        found = [*files, *stock.imports(), *stock.directory.glob("issuing-*.pem")]
        return frozenset(mark for path in found if (mark := _mark(path)) is not None)


_UNREADABLE = "The certificate files cannot be read; see `pbx cert list`."


def _mark(path: Path) -> tuple[str, int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return path.name, facts.st_mtime_ns, facts.st_ino
