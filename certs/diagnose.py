"""Why a handshake failed, in words: what the operator should conclude and do.

`cause_of` reads OpenSSL's error; `examine` reads a chain against a name, roots and a clock.
"""

import datetime
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from certs.names import ServerNames, host_name, ip_address


class Cause(StrEnum):
    """One sentence each; the names go into logs and metrics."""

    EXPIRED = "The certificate has expired: renew it, or set the clock right."
    CLOCK_BEHIND = "The certificate is not valid yet: the clock that judges it is behind."
    CLOCK_AHEAD = (
        "The certificate is valid by this machine's clock and expired by the peer's: "
        "one of the two clocks is wrong."
    )
    WRONG_NAME = "The certificate does not carry the name that was dialled."
    UNKNOWN_ISSUER = (
        "The issuer is not trusted: install our root certificate on the phone, or our own "
        "authority did not issue this certificate."
    )
    REVOKED = "The certificate has been revoked: issue another if that was a mistake."
    NO_REVOCATION_LIST = "The revocation list is missing or out of date: run `pbx cert renew`."
    NO_CERTIFICATE = "The peer presented no certificate where one is demanded."
    WRONG_PURPOSE = "The certificate is meant for another purpose (client or server)."
    PLAIN_TEXT = "The peer spoke without TLS: set the phone's transport to TLS."
    OLD_VERSION = "The peer knows no TLS 1.2: update its firmware."
    WEAK_SUITES = "The peer offers no suite with forward secrecy and AEAD: update its firmware."
    REFUSED_BY_PEER = "The peer refused our certificate without saying why."
    NOT_TLS = "The peer's bytes were not TLS."
    GONE = "The peer closed the connection during the handshake."
    OTHER = "The handshake failed for another reason."


_BY_VERIFY_CODE = {
    # X509_V_ERR_* of OpenSSL's x509_vfy.h
    2: Cause.UNKNOWN_ISSUER,  # unable to get issuer certificate
    3: Cause.NO_REVOCATION_LIST,  # unable to get CRL
    9: Cause.CLOCK_BEHIND,  # certificate is not yet valid
    10: Cause.EXPIRED,
    11: Cause.NO_REVOCATION_LIST,  # CRL is not yet valid
    12: Cause.NO_REVOCATION_LIST,  # CRL has expired
    18: Cause.UNKNOWN_ISSUER,  # self-signed certificate
    19: Cause.UNKNOWN_ISSUER,  # self-signed certificate in chain
    20: Cause.UNKNOWN_ISSUER,  # unable to get local issuer certificate
    21: Cause.UNKNOWN_ISSUER,  # unable to verify the first certificate
    23: Cause.REVOKED,
    26: Cause.WRONG_PURPOSE,
    62: Cause.WRONG_NAME,  # hostname mismatch
    64: Cause.WRONG_NAME,  # IP address mismatch
}

_BY_REASON = {
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": Cause.CLOCK_AHEAD,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": Cause.REVOKED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": Cause.REFUSED_BY_PEER,
    "SSLV3_ALERT_BAD_CERTIFICATE": Cause.REFUSED_BY_PEER,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": Cause.REFUSED_BY_PEER,
    "TLSV1_ALERT_ACCESS_DENIED": Cause.REFUSED_BY_PEER,
    "TLSV1_ALERT_UNKNOWN_CA": Cause.UNKNOWN_ISSUER,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": Cause.NO_CERTIFICATE,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": Cause.NO_CERTIFICATE,
    "HTTP_REQUEST": Cause.PLAIN_TEXT,
    "UNSUPPORTED_PROTOCOL": Cause.OLD_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": Cause.OLD_VERSION,
    "VERSION_TOO_LOW": Cause.OLD_VERSION,
    "NO_SHARED_CIPHER": Cause.WEAK_SUITES,
    "WRONG_VERSION_NUMBER": Cause.NOT_TLS,
    "BAD_RECORD_TYPE": Cause.NOT_TLS,
    "RECORD_LAYER_FAILURE": Cause.NOT_TLS,
    "UNEXPECTED_MESSAGE": Cause.NOT_TLS,
    "UNEXPECTED_EOF_WHILE_READING": Cause.GONE,
}


def cause_of(error: BaseException) -> Cause:
    """Why a handshake failed, from the error of either side."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(error.verify_code, Cause.OTHER)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return Cause.GONE
    if isinstance(error, ssl.SSLError):
        return _BY_REASON.get(getattr(error, "reason", None) or "", Cause.OTHER)
    return Cause.OTHER


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a chain, with its evidence (dates and names of servers only)."""

    cause: Cause
    evidence: str

    def __str__(self) -> str:
        return f"{self.cause} ({self.evidence})"


def examine(
    chain: Sequence[x509.Certificate],
    name: str,
    roots: Sequence[x509.Certificate],
    now: datetime.datetime,
) -> list[Finding]:
    """Everything wrong with a server's chain, not only the first thing."""
    findings = [finding for certificate in chain for finding in _life(certificate, now)]
    names = ServerNames.of(chain[0])
    if not _covers(names, name):
        carried = ", ".join((*names.hosts, *map(str, names.addresses))) or "no name"
        findings.append(Finding(Cause.WRONG_NAME, f"dialled {name}, certificate names {carried}"))
    if not any(_issued(chain[-1], root) for root in roots):
        issuer = chain[-1].issuer.rfc4514_string()
        findings.append(Finding(Cause.UNKNOWN_ISSUER, f"issuer {issuer}"))
    return findings


def _life(certificate: x509.Certificate, now: datetime.datetime) -> list[Finding]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    clock = f"the clock says {now:%Y-%m-%d %H:%M} UTC"
    if now < start:
        return [Finding(Cause.CLOCK_BEHIND, f"valid from {start:%Y-%m-%d %H:%M} UTC, {clock}")]
    if now >= end:
        return [Finding(Cause.EXPIRED, f"expired {end:%Y-%m-%d %H:%M} UTC, {clock}")]
    return []


def _covers(names: ServerNames, name: str) -> bool:
    try:
        return ip_address(name) in names.addresses
    except ValueError:
        pass
    try:
        return host_name(name) in names.hosts
    except ValueError:
        return False


def _issued(certificate: x509.Certificate, root: x509.Certificate) -> bool:
    if certificate == root:
        return True
    try:
        certificate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
