"""The private authority: a root that signs issuing authorities, which sign everything else.

    authority = create_authority(directory, "clinic.example", clock)
    authority.issue_server()                                   # server.pem, key and chain
    device = authority.issue_device("sip:1001@clinic.example")  # key and chain, key not kept

The root's key is only needed to sign the next issuing authority, years from now.
"""

import datetime
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from certs.config import CertsConfig
from certs.errors import AuthorityError, CertsError
from certs.files import PUBLIC, erase, locked, make_directory, write_atomically
from certs.issue import (
    Clock,
    Issuer,
    authority_name,
    certificate_pem,
    common_name,
    key_pem,
    moment,
    new_key,
    self_sign,
    serial_text,
    sign,
)
from certs.names import ServerNames, device_identity, host_name, operator_identity, operator_of
from certs.profiles import DEVICE, ISSUING, OPERATOR, ROOT, SERVER, Profile
from certs.revoke import (
    Reason,
    Revocation,
    build_list,
    load_revocations,
    read_lists,
    save_revocations,
)
from certs.stock import Stock, load_certificate, load_key


@dataclass(frozen=True, slots=True)
class DeviceCertificate:
    """What a device is given; we keep no copy of the key."""

    identity: str
    serial: str
    expires: datetime.datetime
    chain_pem: bytes
    """The device's certificate, then the issuing authority's."""
    key_pem: bytes | None
    """None when the device brought its own key in a signing request."""


class Authority:
    """The authority of one exchange; safe to open by several processes at once."""

    def __init__(self, stock: Stock, domain: str, clock: Clock, config: CertsConfig) -> None:
        self.stock = stock
        self.domain = domain
        self.clock = clock
        self.config = config

    @classmethod
    def open(
        cls, directory: Path, domain: str, clock: Clock, config: CertsConfig | None = None
    ) -> "Authority":
        """An authority made earlier; needs no key of the root."""
        stock = Stock(directory)
        if not stock.root.exists():
            raise AuthorityError(
                f"{directory} holds no certificate authority; `pbx init` makes one."
            )
        authority = cls(stock, host_name(domain), clock, config or CertsConfig())
        authority._check_clock()
        return authority

    @property
    def root_certificate(self) -> x509.Certificate:
        return load_certificate(self.stock.root)

    @property
    def root_pem_path(self) -> Path:
        """The file phones are told to trust."""
        return self.stock.root

    @property
    def has_root_key(self) -> bool:
        """True while the root's key lies beside the issuing authority's: better moved out."""
        return self.stock.root_key.exists()

    @property
    def server_names(self) -> ServerNames:
        return self.config.server_names(self.domain)

    def now(self) -> datetime.datetime:
        return moment(self.clock)

    def issuer(self) -> Issuer:
        """The newest issuing authority."""
        issuers = self.stock.issuers()
        if not issuers:
            raise AuthorityError(f"{self.stock.directory} holds no issuing authority.")
        return issuers[-1]

    def issue_server(self, names: ServerNames | None = None) -> x509.Certificate:
        """A new key and certificate for this server, put in place as one file."""
        names = names or self.server_names
        with locked(self.stock.directory):
            issuer, key = self.issuer(), new_key(SERVER)
            profile = replace(SERVER, days=self.config.server_days)
            certificate = sign(
                profile,
                common_name(names.hosts[0]),
                key.public_key(),
                issuer,
                self.now(),
                names.general_names(),
            )
            chain = certificate_pem(certificate) + certificate_pem(issuer.certificate)
            self.stock.add_issued(certificate)
            write_atomically(self.stock.server, key_pem(key) + chain)
        return certificate

    def issue_device(self, identity: str) -> DeviceCertificate:
        """A key and client certificate for a device, named by `sip:ID@DOMAIN` or `urn:uuid:…`."""
        key = new_key(DEVICE)
        return self._sign_client(self._device, device_identity(identity), key.public_key(), key)

    def issue_device_for_request(self, identity: str, request_pem: bytes) -> DeviceCertificate:
        """The same for a device that keeps its own key; only the key is taken from the request."""
        key = requested_key(request_pem)
        return self._sign_client(self._device, device_identity(identity), key, None)

    def issue_operator(self, person: UUID, request_pem: bytes = b"") -> DeviceCertificate:
        """A client certificate for the management listener; it is one person's."""
        own = None if request_pem else new_key(OPERATOR)
        public = own.public_key() if own is not None else requested_key(request_pem)
        return self._sign_client(OPERATOR, operator_identity(person), public, own)

    def operator_serials(self, person: UUID) -> list[str]:
        """Certificates of one person that still count."""
        revoked = self.revocations()
        return [
            serial
            for certificate in self.stock.all_issued()
            if operator_of(certificate) == person
            and (serial := serial_text(certificate)) not in revoked
        ]

    @property
    def _device(self) -> Profile:
        return replace(DEVICE, days=self.config.device_days)

    def check_revocable(self, serial: str) -> str:
        """The serial number as we write it; CertsError when there is nothing to revoke."""
        number = serial_text(self._issued(serial))
        if number in self.revocations():
            raise CertsError("This certificate is revoked already.")
        return number

    def revoke(self, serial: str, reason: Reason = Reason.UNSPECIFIED) -> Revocation:
        """Take a certificate's validity away, now, for all new connections."""
        with locked(self.stock.directory):
            number = self.check_revocable(serial)
            certificate = self._issued(number)
            revocations = load_revocations(self.stock.revoked)
            issuer = self._issuer_of(certificate)
            revocation = Revocation(number, serial_text(issuer), self.now(), reason)
            save_revocations(self.stock.revoked, (*revocations, revocation))
            self._write_list()
        return revocation

    def revocations(self) -> dict[str, Revocation]:
        """By serial number."""
        return {
            revocation.serial: revocation for revocation in load_revocations(self.stock.revoked)
        }

    def renew_revocation_list(self) -> None:
        with locked(self.stock.directory):
            self._write_list()

    def renew_issuing(self, root_key: ec.EllipticCurvePrivateKey | None = None) -> x509.Certificate:
        """The next issuing authority; older ones stay trusted until they expire."""
        key = root_key or self.load_root_key(self.stock.root_key)
        with locked(self.stock.directory):
            certificate = _add_issuer(self.stock, Issuer(self.root_certificate, key), self)
            self._write_list()
        return certificate

    def load_root_key(
        self, path: Path, passphrase: bytes | None = None
    ) -> ec.EllipticCurvePrivateKey:
        """The root's key from wherever it is kept, checked to be the right one."""
        if not path.exists():
            raise AuthorityError(f"The root key is not at {path}; name the file it was moved to.")
        key = load_key(path, passphrase)
        if key.public_key() != self.root_certificate.public_key():
            raise AuthorityError(f"{path} is not the key of this root certificate.")
        return key

    def move_root_key(self, destination: Path, passphrase: bytes | None = None) -> None:
        """Write the root's key elsewhere, read it back, then erase it here."""
        key = self.load_root_key(self.stock.root_key)
        if destination.exists():
            raise AuthorityError(f"{destination} exists already; nothing was moved.")
        write_atomically(destination, key_pem(key, passphrase))
        self.load_root_key(destination, passphrase)
        erase(self.stock.root_key)

    def _sign_client(
        self,
        profile: Profile,
        identity: str,
        public_key: ec.EllipticCurvePublicKey,
        key: ec.EllipticCurvePrivateKey | None,
    ) -> DeviceCertificate:
        uri = x509.UniformResourceIdentifier(identity)
        with locked(self.stock.directory):
            issuer, subject = self.issuer(), common_name(profile.kind)
            certificate = sign(profile, subject, public_key, issuer, self.now(), [uri])
            self.stock.add_issued(certificate)
        return DeviceCertificate(
            identity=identity,
            serial=serial_text(certificate),
            expires=certificate.not_valid_after_utc,
            chain_pem=certificate_pem(certificate) + certificate_pem(issuer.certificate),
            key_pem=key_pem(key) if key is not None else None,
        )

    def _issued(self, serial: str) -> x509.Certificate:
        number = serial.strip().lower().removeprefix("0x").replace(":", "").lstrip("0")
        path = self.stock.issued / f"{number}.pem"
        if not (number.isascii() and number.isalnum() and path.exists()):
            raise CertsError("No certificate of ours has this serial number; see `pbx cert list`.")
        return load_certificate(path)

    def _issuer_of(self, certificate: x509.Certificate) -> x509.Certificate:
        for issuer in self.stock.issuers():
            if issuer.certificate.subject == certificate.issuer:
                return issuer.certificate
        raise CertsError("The authority that issued this certificate has expired; so has it.")

    def _write_list(self) -> None:
        path = self.stock.revocation_list
        now = self.now()
        until = now + datetime.timedelta(days=self.config.crl_days)
        number = max(self.clock(), _last_number(path) + 1)
        revocations = load_revocations(self.stock.revoked)
        lists = [
            build_list(issuer, revocations, now, until, number) for issuer in self.stock.issuers()
        ]
        write_atomically(path, b"".join(lists), mode=PUBLIC)

    def _check_clock(self) -> None:
        made = self.root_certificate.not_valid_before_utc
        if self.now() < made:
            raise AuthorityError(
                f"The clock says {self.now():%Y-%m-%d %H:%M} UTC, before this authority was made "
                f"({made:%Y-%m-%d}); set the clock right (timedatectl) and start again."
            )


def requested_key(request_pem: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a signing request that was signed with its own private one."""
    try:
        request = x509.load_pem_x509_csr(request_pem)
        valid = request.is_signature_valid
    except (ValueError, InvalidSignature):
        raise CertsError("The file is not a PEM certificate signing request.") from None
    key = request.public_key()
    if not valid or not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size < 256:
        raise CertsError("The request must be signed by its own key, on P-256 or P-384.")
    return key


def create_authority(
    directory: Path, domain: str, clock: Clock, config: CertsConfig | None = None
) -> Authority:
    """A new root and a first issuing authority with its empty revocation list.

    The directory must exist and hold no authority; the server certificate is a call of its own.
    """
    stock = Stock(directory)
    if stock.root.exists():
        raise AuthorityError(f"{directory} holds a certificate authority already.")
    authority = Authority(stock, host_name(domain), clock, config or CertsConfig())
    for path in (stock.issued, stock.imported):
        make_directory(path)
    key = new_key(ROOT)
    subject = authority_name(f"{authority.domain} root authority")
    root = self_sign(ROOT, subject, key, authority.now())
    with locked(directory):
        write_atomically(stock.root_key, key_pem(key))
        _add_issuer(stock, Issuer(root, key), authority)
        authority._write_list()
        write_atomically(stock.root, certificate_pem(root), mode=PUBLIC)
    return authority


def _add_issuer(stock: Stock, root: Issuer, authority: Authority) -> x509.Certificate:
    key = new_key(ISSUING)
    name = authority_name(f"{authority.domain} issuing authority")
    certificate = sign(ISSUING, name, key.public_key(), root, authority.now())
    stock.add_issuer(Issuer(certificate, key))
    return certificate


def _last_number(path: Path) -> int:
    if not path.exists():
        return 0
    numbers = [
        revocation_list.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for revocation_list in read_lists(path)
    ]
    return max(numbers, default=0)
