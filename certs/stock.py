"""Where the authority keeps what: one directory, each file whole or absent.

root.pem             what phones are told to trust
root.key             not needed to serve; move it out (`Authority.move_root_key`)
issuing-N.pem .key   the issuing authorities, newest last; older ones until they expire
server.pem           key and chain of our own server certificate, swapped as one file
imported/NAME.pem    key and chain of a publicly trusted one
issued/SERIAL.pem    every certificate issued (no keys)
revoked.json crl.pem what no longer counts
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from certs.errors import AuthorityError
from certs.files import PUBLIC, write_atomically
from certs.issue import Issuer, certificate_pem, key_pem, serial_text


@dataclass(frozen=True, slots=True)
class Stock:
    """The directory's paths, and reading and writing them."""

    directory: Path

    @property
    def root(self) -> Path:
        return self.directory / "root.pem"

    @property
    def root_key(self) -> Path:
        return self.directory / "root.key"

    @property
    def server(self) -> Path:
        return self.directory / "server.pem"

    @property
    def imported(self) -> Path:
        return self.directory / "imported"

    @property
    def issued(self) -> Path:
        return self.directory / "issued"

    @property
    def revoked(self) -> Path:
        return self.directory / "revoked.json"

    @property
    def revocation_list(self) -> Path:
        return self.directory / "crl.pem"

    def imports(self) -> list[Path]:
        return sorted(self.imported.glob("*.pem"))

    def issuers(self) -> list[Issuer]:
        """The issuing authorities, newest last."""
        paths = sorted(self.directory.glob("issuing-*.pem"), key=_generation)
        return [
            Issuer(load_certificate(path), load_key(path.with_suffix(".key"))) for path in paths
        ]

    def add_issuer(self, issuer: Issuer) -> None:
        paths = sorted(self.directory.glob("issuing-*.pem"), key=_generation)
        number = _generation(paths[-1]) + 1 if paths else 1
        path = self.directory / f"issuing-{number}.pem"
        write_atomically(path.with_suffix(".key"), key_pem(issuer.key))
        write_atomically(path, certificate_pem(issuer.certificate), mode=PUBLIC)

    def add_issued(self, certificate: x509.Certificate) -> None:
        path = self.issued / f"{serial_text(certificate)}.pem"
        write_atomically(path, certificate_pem(certificate), mode=PUBLIC)

    def all_issued(self) -> list[x509.Certificate]:
        return [load_certificate(path) for path in sorted(self.issued.glob("*.pem"))]


def load_certificate(path: Path) -> x509.Certificate:
    return load_chain(path)[0]


def load_chain(path: Path) -> list[x509.Certificate]:
    """The certificates in a PEM file in their order; a key in the same file is passed over."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise AuthorityError(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise AuthorityError(f"{path} does not hold a PEM certificate.") from None


def load_key(path: Path, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """An elliptic-curve key of ours; the error never says anything about its content."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase)
    except OSError as error:
        raise AuthorityError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError):
        raise AuthorityError(
            f"{path} does not open: it is not a PEM private key, or the passphrase is wrong."
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityError(f"{path} is not an elliptic-curve key.")
    return key


def _generation(path: Path) -> int:
    digits = path.stem.removeprefix("issuing-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 9 else 0
