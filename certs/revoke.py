"""Revocation: what is revoked, since when and why, and the list that says so (RFC 5280 §5).

The list is for our own listeners: phones check the server by its short life instead.
"""

import datetime
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certs.errors import AuthorityError
from certs.files import write_atomically
from certs.issue import Issuer


class Reason(StrEnum):
    """The reasons of RFC 5280 §5.3.1 that a telephone exchange has a use for."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key-compromise"
    SUPERSEDED = "superseded"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"

    @property
    def flag(self) -> x509.ReasonFlags:
        return _FLAGS[self]


_FLAGS = {
    Reason.UNSPECIFIED: x509.ReasonFlags.unspecified,
    Reason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    Reason.SUPERSEDED: x509.ReasonFlags.superseded,
    Reason.RETIRED: x509.ReasonFlags.cessation_of_operation,
    Reason.WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
}


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One certificate that no longer counts."""

    serial: str
    """Hexadecimal, as shown to operators."""
    issuer: str
    """Serial number of the issuing authority, hexadecimal."""
    at: datetime.datetime
    reason: Reason


def load_revocations(path: Path) -> tuple[Revocation, ...]:
    if not path.exists():
        return ()
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Revocation, ...])
    except msgspec.DecodeError:
        raise AuthorityError(
            f"{path} is damaged; restore it from a backup, or revoked devices are let in again."
        ) from None


def save_revocations(path: Path, revocations: Iterable[Revocation]) -> None:
    write_atomically(path, msgspec.json.encode(list(revocations)))


def build_list(
    issuer: Issuer,
    revocations: Iterable[Revocation],
    now: datetime.datetime,
    until: datetime.datetime,
    number: int,
) -> bytes:
    """One issuer's revocation list as PEM; `number` only ever grows (RFC 5280 §5.2.3)."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now - datetime.timedelta(hours=1))
        .next_update(until)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key(issuer), critical=False)
    )
    own = f"{issuer.certificate.serial_number:x}"
    for revocation in revocations:
        if revocation.issuer == own:
            builder = builder.add_revoked_certificate(_entry(revocation))
    return builder.sign(issuer.key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM)


def read_lists(path: Path) -> list[x509.CertificateRevocationList]:
    """The lists in a PEM file, one for each issuing authority still in use."""
    end = b"-----END X509 CRL-----\n"
    parts = path.read_bytes().split(end)[:-1]
    return [x509.load_pem_x509_crl(part + end) for part in parts]


def _entry(revocation: Revocation) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(int(revocation.serial, 16), revocation.at)
    if revocation.reason is not Reason.UNSPECIFIED:  # RFC 5280 §5.3.1: absent, not zero
        builder = builder.add_extension(x509.CRLReason(revocation.reason.flag), critical=False)
    return builder.build()


def _authority_key(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)
