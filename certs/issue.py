"""Signing: one certificate from a profile, an issuer and a public key (RFC 5280)."""

import datetime
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from certs.errors import CertsError
from certs.profiles import Profile

Clock = Callable[[], int]
"""Microseconds since 1970, UTC."""

BACKDATED = datetime.timedelta(hours=1)
"""Phones set their clocks late and badly; an hour costs nothing."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate that may sign, with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def moment(clock: Clock) -> datetime.datetime:
    """The clock's time as X.509 counts it: whole seconds, UTC."""
    return datetime.datetime.fromtimestamp(clock() // 1_000_000, datetime.UTC)


def common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def authority_name(text: str) -> x509.Name:
    """A name no other authority has: issuers are told apart by name (RFC 5280 §6.1)."""
    token = x509.NameAttribute(NameOID.SERIAL_NUMBER, secrets.token_hex(8))
    return x509.Name([*common_name(text), token])


def new_key(profile: Profile) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(profile.curve())


def sign(
    profile: Profile,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: Issuer,
    now: datetime.datetime,
    names: Sequence[x509.GeneralName] = (),
) -> x509.Certificate:
    """A certificate that never outlives its issuer."""
    until = min(now + datetime.timedelta(days=profile.days), issuer.certificate.not_valid_after_utc)
    if until <= now:
        raise CertsError("The issuing authority has expired; renew it with the root key first.")
    builder = _builder(profile, subject, public_key, now, until)
    builder = builder.issuer_name(issuer.certificate.subject).add_extension(
        _authority_key(issuer.certificate), critical=False
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer.key, hashes.SHA384())


def self_sign(
    profile: Profile, subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime
) -> x509.Certificate:
    """The root's own certificate."""
    until = now + datetime.timedelta(days=profile.days)
    builder = _builder(profile, subject, key.public_key(), now, until)
    return builder.issuer_name(subject).sign(key, hashes.SHA384())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def serial_text(certificate: x509.Certificate) -> str:
    """How operators see and type a serial number."""
    return f"{certificate.serial_number:x}"


def _builder(
    profile: Profile,
    subject: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    until: datetime.datetime,
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    for extension, critical in profile.extensions():
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
