"""The authority's directory, judged by OpenSSL's own commands."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.authority import Authority, create_authority
from certs.config import CertsConfig
from certs.errors import AuthorityError, CertsError, NameRefused
from certs.files import write_atomically
from certs.issue import common_name
from certs.revoke import Reason
from tests.support.clock import DAY, HandClock

DOMAIN = "clinic.example"


def openssl_verify(authority: Authority, path: Path, *options: str) -> str:
    """What `openssl verify` says at the authority's own time."""
    root = authority.stock.root
    at = str(authority.clock() // 1_000_000)
    command = ["openssl", "verify", "-x509_strict", "-attime", at, "-CAfile", str(root)]
    command += ["-untrusted", str(path), *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_openssl_accepts_the_server_certificate_for_its_domain(authority: Authority) -> None:
    authority.issue_server()

    verdict = openssl_verify(
        authority, authority.stock.server, "-purpose", "sslserver", "-verify_hostname", DOMAIN
    )

    assert verdict.endswith(": OK\n")


def test_openssl_refuses_the_server_certificate_for_another_name(authority: Authority) -> None:
    authority.issue_server()

    verdict = openssl_verify(authority, authority.stock.server, "-verify_hostname", "evil.example")

    assert "hostname mismatch" in verdict.lower()


def test_openssl_accepts_the_server_certificate_for_its_address(
    tmp_path: Path, clock: HandClock
) -> None:
    config = CertsConfig(addresses=("192.0.2.7", "2001:db8::7"))
    authority = create_authority(tmp_path, DOMAIN, clock, config)
    authority.issue_server()

    for address in ("192.0.2.7", "2001:db8::7"):
        verdict = openssl_verify(authority, authority.stock.server, "-verify_ip", address)
        assert verdict.endswith(": OK\n")


def test_openssl_accepts_a_device_certificate_until_it_is_revoked(
    authority: Authority, tmp_path: Path
) -> None:
    device = authority.issue_device(f"sip:1001@{DOMAIN}")
    path = tmp_path / "device.pem"
    path.write_bytes(device.chain_pem)
    options = (
        "-purpose",
        "sslclient",
        "-crl_check",
        "-CRLfile",
        str(authority.stock.revocation_list),
    )

    before = openssl_verify(authority, path, *options)
    authority.revoke(device.serial, Reason.KEY_COMPROMISE)
    after = openssl_verify(authority, path, *options)

    assert before.endswith(": OK\n")
    assert "certificate revoked" in after


def test_keys_and_directories_are_private(authority: Authority) -> None:
    authority.issue_server()

    for path in authority.stock.directory.rglob("*"):
        secret = path.suffix == ".key" or path.name in ("server.pem", "revoked.json")
        if path.is_dir():
            assert path.stat().st_mode & 0o777 == 0o700
        elif secret:
            assert path.stat().st_mode & 0o777 == 0o600, path


def test_a_second_authority_in_the_same_directory_is_refused(authority: Authority) -> None:
    before = authority.stock.root.read_bytes()

    with pytest.raises(AuthorityError, match="already"):
        create_authority(authority.stock.directory, DOMAIN, authority.clock)

    assert authority.stock.root.read_bytes() == before


def test_the_authority_serves_without_the_root_key(authority: Authority, tmp_path: Path) -> None:
    elsewhere = tmp_path / "stick"
    elsewhere.mkdir()

    authority.move_root_key(elsewhere / "root.key", b"a long passphrase")

    assert not authority.has_root_key
    reopened = Authority.open(authority.stock.directory, DOMAIN, authority.clock)
    reopened.issue_server()
    reopened.revoke(reopened.issue_device(f"sip:1001@{DOMAIN}").serial)
    with pytest.raises(AuthorityError, match="root key"):
        reopened.renew_issuing()
    with pytest.raises(AuthorityError, match="passphrase"):
        reopened.load_root_key(elsewhere / "root.key", b"wrong")
    key = reopened.load_root_key(elsewhere / "root.key", b"a long passphrase")
    reopened.renew_issuing(key)
    assert len(reopened.stock.issuers()) == 2


def test_a_new_issuing_authority_leaves_older_certificates_valid_and_revocable(
    authority: Authority, tmp_path: Path
) -> None:
    old = authority.issue_device(f"sip:1001@{DOMAIN}")
    authority.renew_issuing()
    new = authority.issue_device(f"sip:1002@{DOMAIN}")
    options = ("-crl_check", "-CRLfile", str(authority.stock.revocation_list))

    verdicts = []
    for device in (old, new):
        path = tmp_path / "device.pem"
        path.write_bytes(device.chain_pem)
        verdicts.append(openssl_verify(authority, path, *options))
    authority.revoke(old.serial)
    path.write_bytes(old.chain_pem)

    assert all(verdict.endswith(": OK\n") for verdict in verdicts)
    assert "certificate revoked" in openssl_verify(authority, path, *options)


def test_a_clock_before_the_authority_was_made_is_named(
    authority: Authority, clock: HandClock
) -> None:
    clock.now -= 400 * DAY

    with pytest.raises(AuthorityError, match="set the clock right"):
        Authority.open(authority.stock.directory, DOMAIN, clock)


def test_unknown_and_repeated_revocations_are_refused(authority: Authority) -> None:
    device = authority.issue_device(f"sip:1001@{DOMAIN}")
    authority.revoke(device.serial)

    with pytest.raises(CertsError, match="already"):
        authority.revoke(device.serial)
    for serial in ("", "../root", "beef", "²"):
        with pytest.raises(CertsError, match="serial"):
            authority.revoke(serial)


@pytest.mark.parametrize(
    "identity",
    ["", "1001", "sip:1001", "sip:a b@clinic.example", "sip:1001@*.example", "mailto:a@b.example"],
)
def test_a_device_is_named_by_a_sip_or_uuid_uri(authority: Authority, identity: str) -> None:
    with pytest.raises(NameRefused):
        authority.issue_device(identity)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "server.pem"
    write_atomically(path, b"old")

    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]

    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["server.pem"]


def test_a_device_may_keep_its_own_key(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    name = common_name("whatever the device says")
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    device = authority.issue_device_for_request(f"sip:1001@{DOMAIN}", pem)

    certificate = x509.load_pem_x509_certificate(device.chain_pem)
    assert device.key_pem is None
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == common_name("device")


def test_requests_that_are_none_or_on_weak_keys_are_refused(authority: Authority) -> None:
    key = rsa.generate_private_key(65537, 2048)
    request = x509.CertificateSigningRequestBuilder().subject_name(common_name("x"))
    pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    with pytest.raises(CertsError, match="on P-256 or P-384"):
        authority.issue_device_for_request(f"sip:1001@{DOMAIN}", pem)
    with pytest.raises(CertsError, match="signing request"):
        authority.issue_device_for_request(f"sip:1001@{DOMAIN}", b"nonsense")
