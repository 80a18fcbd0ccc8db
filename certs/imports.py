"""Certificates from elsewhere: a publicly trusted chain and its key, checked before use.

Once imported it answers every connection that asks for one of its names; our own certificate goes
on answering all others, such as phones that connect by address.
"""

import datetime
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import Authority
from certs.errors import ImportRefused
from certs.files import locked, write_atomically
from certs.issue import certificate_pem
from certs.names import ServerNames, host_name

MAX_BYTES = 262_144
"""Far more than any chain; a wrong file is refused before it is parsed."""

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Checked:
    """A chain and key that passed every check, not yet in place."""

    path: Path
    names: ServerNames
    expires: datetime.datetime
    pem: bytes = field(repr=False)

    def install(self) -> None:
        """From now on it answers for its names; one file, so chain and key always match."""
        with locked(self.path.parent.parent):
            write_atomically(self.path, self.pem)


def check_chain(
    authority: Authority, chain_pem: bytes, key_pem: bytes, passphrase: bytes | None = None
) -> Checked:
    """Everything that can be wrong is found before anything changes."""
    chain = _read_chain(chain_pem)
    key = _read_key(key_pem, passphrase)
    leaf = chain[0]
    _check_key(leaf, key)
    _check_order(chain)
    _check_life(chain, authority.now())
    _check_use(leaf)
    names = _check_names(leaf, authority)
    name = next(host for host in names.hosts if "*" not in host)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Checked(
        path=authority.stock.imported / f"{host_name(name)}.pem",
        names=names,
        expires=leaf.not_valid_after_utc,
        pem=pem + b"".join(certificate_pem(certificate) for certificate in chain),
    )


def _read_chain(pem: bytes) -> list[x509.Certificate]:
    if len(pem) > MAX_BYTES:
        raise ImportRefused("The chain file is far too large to be a certificate chain.")
    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise ImportRefused("The chain file holds no PEM certificate.") from None
    if len(chain) > 1 and chain[-1].issuer == chain[-1].subject:
        chain.pop()  # the root itself: phones have it or they do not
    return chain


def _read_key(pem: bytes, passphrase: bytes | None) -> _Key:
    if len(pem) > MAX_BYTES:
        raise ImportRefused("The key file is far too large to be a private key.")
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError):
        raise ImportRefused(
            "The key does not open: it is not a PEM private key, or its passphrase is wrong."
        ) from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ("secp256r1", "secp384r1"):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return key
    raise ImportRefused("The key must be P-256, P-384 or RSA of at least 2048 bits.")


def _check_key(leaf: x509.Certificate, key: _Key) -> None:
    if leaf.public_key() != key.public_key():
        raise ImportRefused(
            "The key does not belong to the first certificate of the chain; "
            "the server's own certificate must come first."
        )


def _check_order(chain: list[x509.Certificate]) -> None:
    if chain[0].issuer == chain[0].subject:
        raise ImportRefused("The certificate is self-signed; no phone would trust it.")
    for position, (certificate, issuer) in enumerate(pairwise(chain), 1):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise ImportRefused(
                f"Certificate {position + 1} of the chain did not issue certificate {position}; "
                "the order is server first, then each issuer."
            ) from None
    if len(chain) == 1:
        raise ImportRefused(
            "The chain holds the server's certificate alone; add its issuer's (often called "
            "fullchain.pem), or phones cannot follow it to a root they know."
        )


def _check_life(chain: list[x509.Certificate], now: datetime.datetime) -> None:
    for position, certificate in enumerate(chain, 1):
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now >= end:
            raise ImportRefused(f"Certificate {position} of the chain expired on {end:%Y-%m-%d}.")
        if now < start:
            raise ImportRefused(
                f"Certificate {position} of the chain is valid from {start:%Y-%m-%d %H:%M} UTC, "
                f"and the clock of this machine says {now:%Y-%m-%d %H:%M}."
            )


def _check_use(leaf: x509.Certificate) -> None:
    extensions = leaf.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise ImportRefused("The first certificate is an authority's, not a server's.")
    except x509.ExtensionNotFound:
        pass
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        raise ImportRefused("The certificate is not meant for servers (extended key usage).")


def _check_names(leaf: x509.Certificate, authority: Authority) -> ServerNames:
    names = ServerNames.of(leaf)
    wanted = authority.server_names
    if not set(names.hosts) & set(wanted.hosts):
        found = ", ".join(names.hosts) or "no host name"
        raise ImportRefused(
            f"The certificate names {found}; phones connect to {', '.join(wanted.hosts)}, and "
            "wildcards do not count in SIP (RFC 5922)."
        )
    return names
