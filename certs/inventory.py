"""What `pbx cert list` shows: everything in force, when it ends, and what to do about it."""

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509

from certs.authority import Authority
from certs.issue import serial_text
from certs.names import ServerNames, identity_of, operator_of
from certs.profiles import Kind, kind_of
from certs.revoke import read_lists
from certs.stock import load_chain


class State(StrEnum):
    VALID = "valid"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    REVOKED = "revoked"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Status:
    """One certificate or list."""

    kind: Kind
    serial: str
    """Hexadecimal; empty for a revocation list."""
    names: tuple[str, ...]
    expires: datetime.datetime
    state: State
    remedy: str = ""

    @property
    def needs_attention(self) -> bool:
        return self.state in (State.EXPIRING, State.EXPIRED, State.NOT_YET_VALID)


_REMEDY = {
    Kind.ROOT: "Make a new authority and give its root to all phones.",
    Kind.ISSUING: "Run `pbx cert renew --root-key FILE`.",
    Kind.SERVER: "Run `pbx cert renew`.",
    Kind.DEVICE: "Issue the device's next certificate and install it on the device.",
    Kind.OPERATOR: "Issue the operator's next certificate: pbx operator certify.",
    Kind.IMPORTED: "Get the next certificate from its issuer and run `pbx cert import`.",
    Kind.REVOCATION_LIST: "Run `pbx cert renew`.",
}


def statuses(authority: Authority) -> list[Status]:
    """Authorities, servers, lists, then devices; what expires first of each comes first."""
    certificates = list(_certificates(authority))
    in_force = _in_force(certificates)
    revoked = authority.revocations()
    found = _list_statuses(authority)
    for kind, certificate in certificates:
        serial = serial_text(certificate)
        if serial in revoked:
            state = State.REVOKED
        elif in_force[_purpose(kind, certificate)] != certificate:
            state = State.REPLACED
        else:
            state = _state_by_age(authority, kind, certificate)
        end = certificate.not_valid_after_utc
        found.append(_with_remedy(Status(kind, serial, _names(certificate), end, state)))
    order = list(Kind)
    return sorted(found, key=lambda status: (order.index(status.kind), status.expires))


def _certificates(authority: Authority) -> Iterator[tuple[Kind, x509.Certificate]]:
    stock = authority.stock
    yield Kind.ROOT, authority.root_certificate
    for issuer in stock.issuers():
        yield Kind.ISSUING, issuer.certificate
    if stock.server.exists():
        yield Kind.SERVER, load_chain(stock.server)[0]
    for path in stock.imports():
        yield Kind.IMPORTED, load_chain(path)[0]
    for certificate in stock.all_issued():
        if (kind := kind_of(certificate)) in (Kind.DEVICE, Kind.OPERATOR):
            yield kind, certificate


def _in_force(
    certificates: Iterable[tuple[Kind, x509.Certificate]],
) -> dict[tuple[Kind, str], x509.Certificate]:
    """The longest-lasting certificate for each purpose; nobody need act on the others."""
    found: dict[tuple[Kind, str], x509.Certificate] = {}
    for kind, certificate in certificates:
        purpose = _purpose(kind, certificate)
        other = found.get(purpose)
        if other is None or other.not_valid_after_utc <= certificate.not_valid_after_utc:
            found[purpose] = certificate
    return found


def _purpose(kind: Kind, certificate: x509.Certificate) -> tuple[Kind, str]:
    if kind is Kind.DEVICE:
        return kind, identity_of(certificate) or serial_text(certificate)
    if kind is Kind.OPERATOR:
        return kind, str(operator_of(certificate))
    return kind, "" if kind is Kind.ISSUING else serial_text(certificate)


def _state_by_age(authority: Authority, kind: Kind, certificate: x509.Certificate) -> State:
    now = authority.now()
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    margin = datetime.timedelta(days=authority.config.warn_days)
    if kind is Kind.SERVER:  # a short life is renewed in time: silent until that has failed
        margin = min(margin, (end - start) * 0.3)
    if now < start:
        return State.NOT_YET_VALID
    if now >= end:
        return State.EXPIRED
    return State.EXPIRING if end - now <= margin else State.VALID


def _list_statuses(authority: Authority) -> list[Status]:
    if not authority.stock.revocation_list.exists():
        return []
    now, found = authority.now(), []
    for revocation_list in read_lists(authority.stock.revocation_list):
        start, end = revocation_list.last_update_utc, revocation_list.next_update_utc
        if end is None:
            continue
        late = now >= end - (end - start) * 0.3
        state = State.EXPIRED if now >= end else State.EXPIRING if late else State.VALID
        count = f"{len(revocation_list)} revoked"
        found.append(_with_remedy(Status(Kind.REVOCATION_LIST, "", (count,), end, state)))
    return found


def _with_remedy(status: Status) -> Status:
    if not status.needs_attention:
        return status
    remedy = _REMEDY[status.kind]
    if status.state is State.NOT_YET_VALID:
        remedy = "The clock of this machine is behind; set it right (timedatectl)."
    return Status(status.kind, status.serial, status.names, status.expires, status.state, remedy)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    identity, person = identity_of(certificate), operator_of(certificate)
    if identity is not None:
        return (identity,)
    if person is not None:
        return (f"person {person}",)
    names = ServerNames.of(certificate)
    if names.hosts or names.addresses:
        return (*names.hosts, *(str(address) for address in names.addresses))
    return (certificate.subject.rfc4514_string(),)
