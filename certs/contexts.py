"""The only place that builds TLS contexts: 1.2 with AEAD and ECDHE, and 1.3; nothing older.

A context is never changed once in use. New certificates, authorities or revocation lists make a
new context, and the listener takes it for the next connection; open connections are left alone.

No session tickets: keys that open recorded traffic should not outlive its connection, and each
ticket costs a handshake more CPU than phones' rare resumptions save. A changed revocation list
therefore counts for every new connection.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from certs.errors import CertsError
from certs.names import ServerNames
from certs.stock import Stock, load_certificate

TLS12_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL"
"""Forward secrecy and AEAD (RFC 9325 §4.2); the suites of TLS 1.3 are all so."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """A certificate with its key in one PEM file, and the names it answers to."""

    path: Path
    names: ServerNames

    @classmethod
    def load(cls, path: Path) -> "ServerIdentity":
        return cls(path, ServerNames.of(load_certificate(path)))


def identities(stock: Stock) -> list[ServerIdentity]:
    """Imported, publicly trusted certificates, then our own, which answers to all other names."""
    return [ServerIdentity.load(path) for path in (*stock.imports(), stock.server)]


def server_context(identities: Sequence[ServerIdentity]) -> ssl.SSLContext:
    """For listeners that log devices in by digest: asks for no client certificate.

    Merely asking would abort on desk phones that present their maker's certificate.
    """
    return _chosen_by_name(identities, _server_base)


def mutual_context(identities: Sequence[ServerIdentity], stock: Stock) -> ssl.SSLContext:
    """For the listener that demands a certificate of our own authority, not revoked."""

    def base() -> ssl.SSLContext:
        context = _server_base()
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
        _trust(context, stock)
        return context

    return _chosen_by_name(identities, base)


def client_context(trusted: Path | None = None, identity: Path | None = None) -> ssl.SSLContext:
    """For connections we make: trusts one file of authorities, or else the system's.

    The peer's name is checked by the connector against the SIP domain (RFC 5922 §7.3), through
    `server_hostname`; IP addresses count only where we dialled an address.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.hostname_checks_common_name = False
    if trusted is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cafile=str(trusted))
    if identity is not None:
        _load(context, identity)
    return context


def _chosen_by_name(
    identities: Sequence[ServerIdentity], base: Callable[[], ssl.SSLContext]
) -> ssl.SSLContext:
    """One context for each certificate; the last answers clients that name none or another."""
    if not identities:
        raise CertsError("There is no server certificate; `pbx cert renew` issues one.")
    by_name: dict[str, ssl.SSLContext] = {}
    context = base()
    for identity in identities:
        context = base()
        _load(context, identity.path)
        for host in identity.names.hosts:
            by_name.setdefault(host, context)
    if len(identities) > 1:
        context.sni_callback = _Chooser(by_name)
    return context


class _Chooser:
    """Picks the context for the name a client asks for (RFC 6066 §3)."""

    def __init__(self, by_name: dict[str, ssl.SSLContext]) -> None:
        self._by_name = by_name

    def __call__(
        self, connection: ssl.SSLObject, name: str | None, _initial: ssl.SSLContext
    ) -> None:
        wanted = self._by_name.get((name or "").lower())
        if wanted is not None:
            connection.context = wanted


def _server_base() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _load(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_cert_chain(path, password=_no_passphrase)
    except (ssl.SSLError, OSError) as error:
        raise CertsError(f"{path} cannot be used as a server certificate: {_why(error)}.") from None


def _trust(context: ssl.SSLContext, stock: Stock) -> None:
    """The root, the issuing authorities, and their revocation lists."""
    context.load_verify_locations(cafile=str(stock.root))
    for path in stock.directory.glob("issuing-*.pem"):
        context.load_verify_locations(cafile=str(path))
    context.load_verify_locations(cafile=str(stock.revocation_list))


def _no_passphrase() -> bytes:
    return b""  # never ask on a terminal


def _why(error: ssl.SSLError | OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unreadable").replace("_", " ").lower()
    return (error.strerror or "unreadable").lower()
