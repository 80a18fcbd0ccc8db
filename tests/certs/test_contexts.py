"""Contexts, judged by handshakes: with each other, and with OpenSSL's s_client."""

import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.authority import Authority, DeviceCertificate, create_authority
from certs.contexts import client_context, identities, mutual_context, server_context
from certs.diagnose import Cause, cause_of
from certs.errors import CertsError
from certs.imports import check_chain
from tests.certs.test_imports import issued
from tests.support.clock import DAY
from tests.support.tls import handshake

DOMAIN = "clinic.example"


def now() -> int:
    return time.time_ns() // 1000


def make(directory: Path, domain: str = DOMAIN, clock: object = now) -> Authority:
    directory.mkdir()
    made = create_authority(directory, domain, clock)  # type: ignore[arg-type]
    made.issue_server()
    return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make(tmp_path / "certs")


def serving(authority: Authority) -> ssl.SSLContext:
    return server_context(identities(authority.stock))


def phone(authority: Authority, identity: DeviceCertificate | None = None) -> ssl.SSLContext:
    """A phone that trusts our root, with a certificate of its own or none."""
    path = None
    if identity is not None and identity.key_pem is not None:
        path = authority.stock.directory.parent / f"{identity.serial}.pem"
        path.write_bytes(identity.key_pem + identity.chain_pem)
    return client_context(authority.stock.root, path)


def test_a_phone_that_trusts_our_root_connects_by_name(authority: Authority) -> None:
    server, client = handshake(serving(authority), phone(authority), DOMAIN)

    assert server.done
    assert client.error is None
    assert server.connection.version() == "TLSv1.3"


def test_tls_1_2_connects_with_forward_secrecy_and_aead_only(authority: Authority) -> None:
    old = phone(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    server, _ = handshake(serving(authority), old, DOMAIN)

    suite = server.connection.cipher()
    assert suite is not None
    assert suite[0].startswith("ECDHE-")
    assert "GCM" in suite[0] or "CHACHA20" in suite[0]


def test_no_suite_without_forward_secrecy_or_aead_is_offered(authority: Authority) -> None:
    for context in (serving(authority), phone(authority)):
        for suite in context.get_ciphers():
            assert suite["aead"], suite["name"]
            assert suite["protocol"] == "TLSv1.3" or suite["kea"] == "kx-ecdhe", suite["name"]


@pytest.mark.parametrize("suites", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE+AESGCM"])
def test_weaker_suites_are_refused(authority: Authority, suites: str) -> None:
    weak = phone(authority)
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers(suites)

    server, _ = handshake(serving(authority), weak, DOMAIN)

    assert server.error is not None
    assert cause_of(server.error) is Cause.WEAK_SUITES


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(authority: Authority, version: ssl.TLSVersion) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(cafile=str(authority.stock.root))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = version

    server, client = handshake(serving(authority), old, DOMAIN)

    assert server.error is not None
    assert cause_of(server.error) is Cause.OLD_VERSION
    assert client.error is not None
    assert cause_of(client.error) is Cause.OLD_VERSION


def test_the_phone_notices_a_wrong_name(authority: Authority) -> None:
    server, client = handshake(serving(authority), phone(authority), "evil.example")

    assert client.error is not None
    assert cause_of(client.error) is Cause.WRONG_NAME
    assert server.error is not None


def test_the_phone_notices_a_foreign_authority(authority: Authority, tmp_path: Path) -> None:
    foreign = make(tmp_path / "foreign")

    server, client = handshake(serving(foreign), phone(authority), DOMAIN)

    assert client.error is not None
    assert cause_of(client.error) is Cause.UNKNOWN_ISSUER
    assert server.error is not None
    assert cause_of(server.error) is Cause.UNKNOWN_ISSUER


@pytest.mark.parametrize(
    ("days", "seen"), [(-400, Cause.EXPIRED), (30, Cause.CLOCK_BEHIND)], ids=["expired", "future"]
)
def test_the_phone_notices_the_time(tmp_path: Path, days: int, seen: Cause) -> None:
    shifted = make(tmp_path / "shifted", clock=lambda: now() + days * DAY)

    server, client = handshake(serving(shifted), phone(shifted), DOMAIN)

    assert client.error is not None
    assert cause_of(client.error) is seen
    assert server.error is not None
    expected = {Cause.EXPIRED: Cause.CLOCK_AHEAD, Cause.CLOCK_BEHIND: Cause.REFUSED_BY_PEER}
    assert cause_of(server.error) is expected[seen]


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_device_of_our_own_authority_logs_in(
    authority: Authority, newest: ssl.TLSVersion
) -> None:
    device = phone(authority, authority.issue_device(f"sip:1001@{DOMAIN}"))
    device.maximum_version = newest
    context = mutual_context(identities(authority.stock), authority.stock)

    server, client = handshake(context, device, DOMAIN)

    assert server.error is client.error is None
    presented = server.connection.getpeercert()
    assert presented is not None
    assert presented["subjectAltName"] == (("URI", f"sip:1001@{DOMAIN}"),)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_revoked_device_is_refused_by_the_next_context(
    authority: Authority, newest: ssl.TLSVersion
) -> None:
    certificate = authority.issue_device(f"sip:1001@{DOMAIN}")
    device = phone(authority, certificate)
    device.maximum_version = newest
    authority.revoke(certificate.serial)
    context = mutual_context(identities(authority.stock), authority.stock)

    server, client = handshake(context, device, DOMAIN)

    assert server.error is not None
    assert cause_of(server.error) is Cause.REVOKED
    assert client.error is not None
    assert cause_of(client.error) is Cause.REVOKED


def test_no_certificate_and_foreign_certificates_are_refused(
    authority: Authority, tmp_path: Path
) -> None:
    foreign = make(tmp_path / "foreign")
    certificate = foreign.issue_device(f"sip:1001@{DOMAIN}")
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes((certificate.key_pem or b"") + certificate.chain_pem)
    context = mutual_context(identities(authority.stock), authority.stock)

    bare, _ = handshake(context, phone(authority), DOMAIN)
    strange, _ = handshake(context, client_context(authority.stock.root, stranger), DOMAIN)

    assert bare.error is not None
    assert cause_of(bare.error) is Cause.NO_CERTIFICATE
    assert strange.error is not None
    assert cause_of(strange.error) is Cause.UNKNOWN_ISSUER


def test_a_server_certificate_is_no_client_certificate(authority: Authority) -> None:
    context = mutual_context(identities(authority.stock), authority.stock)
    thief = client_context(authority.stock.root, authority.stock.server)

    server, _ = handshake(context, thief, DOMAIN)

    assert server.error is not None
    assert cause_of(server.error) is Cause.WRONG_PURPOSE


def test_an_expired_revocation_list_lets_nobody_in_and_says_why(tmp_path: Path) -> None:
    past = make(tmp_path / "past", clock=lambda: now() - 30 * DAY)
    device = phone(past, past.issue_device(f"sip:1001@{DOMAIN}"))

    server, _ = handshake(mutual_context(identities(past.stock), past.stock), device, DOMAIN)

    assert server.error is not None
    assert cause_of(server.error) is Cause.NO_REVOCATION_LIST


def test_older_issuing_authorities_stay_trusted(authority: Authority) -> None:
    device = phone(authority, authority.issue_device(f"sip:1001@{DOMAIN}"))
    authority.renew_issuing()
    context = mutual_context(identities(authority.stock), authority.stock)

    server, client = handshake(context, device, DOMAIN)

    assert server.error is client.error is None


def test_the_name_asked_for_chooses_the_certificate(authority: Authority, tmp_path: Path) -> None:
    public = make(tmp_path / "public", "public.example")
    check_chain(authority, *issued(public)).install()
    context = serving(authority)

    _, imported = handshake(context, phone(public), DOMAIN)
    _, unnamed = handshake(context, _unnamed(authority), None)

    assert imported.error is None
    assert unnamed.error is None


def _unnamed(authority: Authority) -> ssl.SSLContext:
    context = phone(authority)
    context.check_hostname = False
    return context


def test_a_damaged_certificate_file_is_named_without_its_content(authority: Authority) -> None:
    found = identities(authority.stock)
    authority.stock.server.write_bytes(b"-----BEGIN PRIVATE KEY-----\nsecret\n")

    with pytest.raises(CertsError, match="cannot be used") as caught:
        server_context(found)
    with pytest.raises(CertsError, match="no server certificate"):
        server_context([])

    assert "secret" not in str(caught.value)


@pytest.fixture
def port(authority: Authority) -> Iterator[int]:
    """A server that greets each client, for commands to connect to."""
    context = serving(authority)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.sendall(b"hello\n")
                    connection.unwrap()
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def s_client(authority: Authority, port: int, *options: str) -> tuple[int, str]:
    root = str(authority.stock.root)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", root]
    command += ["-servername", DOMAIN, "-verify_return_error", "-verify_hostname", DOMAIN]
    done = subprocess.run(
        [*command, *options], input="", capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_openssl_s_client_verifies_us(authority: Authority, port: int) -> None:
    code, text = s_client(authority, port)

    assert code == 0
    assert "Verify return code: 0 (ok)" in text
    assert "Acceptable client certificate CA names" not in text


def test_openssl_s_client_gets_no_old_version_and_no_weak_suite(
    authority: Authority, port: int
) -> None:
    weak = "AES256-SHA:AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"

    outcomes = [
        s_client(authority, port, "-tls1", "-cipher", "ALL:@SECLEVEL=0"),
        s_client(authority, port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
        s_client(authority, port, "-tls1_2", "-cipher", weak),
    ]

    assert [code for code, _ in outcomes] == [1, 1, 1]
    assert "alert protocol version" in outcomes[0][1]
    assert "alert handshake failure" in outcomes[2][1]
