"""Renewal at two thirds of life, of all that is ours: issuing authority, server, revocation list.

`renew_due` is called at every start and every hour; it is idempotent and does nothing early.
Devices hold their own keys, so their certificates are only warned about.
"""

import datetime
from dataclasses import dataclass

from cryptography import x509

from certs.authority import Authority
from certs.issue import serial_text
from certs.names import ServerNames
from certs.profiles import Kind
from certs.revoke import read_lists
from certs.stock import load_chain


@dataclass(frozen=True, slots=True)
class Renewed:
    """Something was renewed; contexts made before should be made anew."""

    kind: Kind
    expires: datetime.datetime


@dataclass(frozen=True, slots=True)
class Prevented:
    """Something is due and cannot be renewed without an operator."""

    kind: Kind
    expires: datetime.datetime
    remedy: str


Outcome = Renewed | Prevented


def renew_due(authority: Authority) -> list[Outcome]:
    """Renew whatever is past two thirds of its life; issuers first, so that the rest use them."""
    outcomes: list[Outcome] = []
    issuing = authority.issuer().certificate
    if is_due(issuing, authority.now()):
        outcomes.append(_renew_issuing(authority, issuing))
    if _server_is_due(authority):
        certificate = authority.issue_server()
        outcomes.append(Renewed(Kind.SERVER, certificate.not_valid_after_utc))
    if list_is_due(authority):
        authority.renew_revocation_list()
        until = authority.now() + datetime.timedelta(days=authority.config.crl_days)
        outcomes.append(Renewed(Kind.REVOCATION_LIST, until))
    return outcomes


def is_due(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    return now >= _two_thirds(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def list_is_due(authority: Authority) -> bool:
    path = authority.stock.revocation_list
    if not path.exists():
        return True
    now = authority.now()
    return any(
        revocation_list.next_update_utc is None
        or now >= _two_thirds(revocation_list.last_update_utc, revocation_list.next_update_utc)
        for revocation_list in read_lists(path)
    )


def _server_is_due(authority: Authority) -> bool:
    """Due by age, or because the names in the configuration or the revocations have changed."""
    if not authority.stock.server.exists():
        return True
    certificate = load_chain(authority.stock.server)[0]
    return (
        is_due(certificate, authority.now())
        or ServerNames.of(certificate) != authority.server_names
        or serial_text(certificate) in authority.revocations()
    )


def _renew_issuing(authority: Authority, issuing: x509.Certificate) -> Outcome:
    if authority.has_root_key:
        return Renewed(Kind.ISSUING, authority.renew_issuing().not_valid_after_utc)
    remedy = "Bring the root key and run `pbx cert renew --root-key FILE`."
    return Prevented(Kind.ISSUING, issuing.not_valid_after_utc, remedy)


def _two_thirds(start: datetime.datetime, end: datetime.datetime) -> datetime.datetime:
    return start + (end - start) * 2 / 3
