"""What each kind of certificate says: life, use and constraints (RFC 5280 §4.2, RFC 5922).

Keys are P-384 for the authorities, which live long, and P-256 for what is handshaken with, which
every phone can do (a P-384 signature costs the server four times as much).
"""

from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from certs.names import operator_of


class Kind(StrEnum):
    ROOT = "root authority"
    ISSUING = "issuing authority"
    SERVER = "server"
    DEVICE = "device"
    OPERATOR = "operator"
    IMPORTED = "imported server"
    REVOCATION_LIST = "revocation list"


@dataclass(frozen=True, slots=True)
class Profile:
    """The unvarying part of one kind of certificate."""

    kind: Kind
    days: int
    curve: type[ec.EllipticCurve]
    path_length: int | None = None
    """None: not an authority."""
    purpose: ObjectIdentifier | None = None

    def extensions(self) -> list[tuple[x509.ExtensionType, bool]]:
        authority = self.path_length is not None
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=authority, path_length=self.path_length), True),
            (_key_usage(authority), True),
        ]
        if self.purpose is not None:
            extensions.append((x509.ExtendedKeyUsage([self.purpose]), False))
        return extensions


ROOT = Profile(Kind.ROOT, 20 * 365, ec.SECP384R1, path_length=1)
ISSUING = Profile(Kind.ISSUING, 8 * 365, ec.SECP384R1, path_length=0)
SERVER = Profile(Kind.SERVER, 365, ec.SECP256R1, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
DEVICE = Profile(Kind.DEVICE, 825, ec.SECP256R1, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
OPERATOR = Profile(Kind.OPERATOR, 365, ec.SECP256R1, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)


def kind_of(certificate: x509.Certificate) -> Kind:
    """Read the kind back from a certificate of ours."""
    extensions = certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    if constraints.ca:
        return Kind.ROOT if certificate.issuer == certificate.subject else Kind.ISSUING
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if ExtendedKeyUsageOID.SERVER_AUTH in usage:
        return Kind.SERVER
    return Kind.DEVICE if operator_of(certificate) is None else Kind.OPERATOR


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
