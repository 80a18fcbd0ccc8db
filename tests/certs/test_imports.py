"""Chains brought from elsewhere: what is refused, and in which words."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certs.authority import Authority, create_authority
from certs.contexts import identities
from certs.errors import ImportRefused
from certs.imports import check_chain
from certs.issue import certificate_pem, common_name, key_pem, sign
from certs.names import ServerNames
from certs.profiles import DEVICE, SERVER, Profile
from tests.support.clock import DAY, HandClock

NAMES = ServerNames.parse(["clinic.example", "www.clinic.example"])


@pytest.fixture
def public(tmp_path: Path, clock: HandClock) -> Authority:
    """Somebody else's authority."""
    directory = tmp_path / "public"
    directory.mkdir()
    return create_authority(directory, "public.example", clock)


def issued(
    public: Authority, names: ServerNames = NAMES, profile: Profile = SERVER
) -> tuple[bytes, bytes]:
    """Chain and key as a public authority would hand them over."""
    issuer = public.issuer()
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = sign(
        profile,
        common_name("x"),
        key.public_key(),
        issuer,
        public.now(),
        names.general_names(),
    )
    chain = certificate_pem(certificate) + certificate_pem(issuer.certificate)
    return chain, key_pem(key)


def test_a_good_chain_answers_for_its_names(authority: Authority, public: Authority) -> None:
    authority.issue_server()
    chain, key = issued(public)

    imported = check_chain(authority, chain, key)
    assert authority.stock.imports() == []
    imported.install()

    assert imported.path.stat().st_mode & 0o777 == 0o600
    assert imported.names == NAMES
    assert [i.path for i in identities(authority.stock)] == [imported.path, authority.stock.server]


def test_a_root_at_the_end_of_the_chain_is_left_out(
    authority: Authority, public: Authority
) -> None:
    chain, key = issued(public)

    imported = check_chain(authority, chain + public.stock.root.read_bytes(), key)

    assert imported.pem.count(b"BEGIN CERTIFICATE") == 2


def test_a_key_under_a_passphrase_opens_with_it_alone(
    authority: Authority, public: Authority
) -> None:
    chain, key = issued(public)
    loaded = serialization.load_pem_private_key(key, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    locked = key_pem(loaded, b"a passphrase")

    with pytest.raises(ImportRefused, match="passphrase"):
        check_chain(authority, chain, locked, b"another")
    with pytest.raises(ImportRefused, match="passphrase"):
        check_chain(authority, chain, locked)
    check_chain(authority, chain, locked, b"a passphrase")


def _another_key(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    return chain, key_pem(ec.generate_private_key(ec.SECP256R1()))


def _small_rsa(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it must be refused
    return chain, weak.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _reversed(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    end = b"-----END CERTIFICATE-----\n"
    first, second, _ = chain.split(end)
    return second + end + first + end, key


def _alone(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    end = b"-----END CERTIFICATE-----\n"
    return chain.split(end)[0] + end, key


def _stranger_second(chain: bytes, key: bytes) -> tuple[bytes, bytes]:
    alone, _ = _alone(chain, key)
    return alone + alone, key


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_another_key, "does not belong"),
        (_small_rsa, "at least 2048"),
        (_reversed, "must come first"),
        (_alone, "alone"),
        (_stranger_second, "did not issue"),
        (lambda chain, key: (b"nonsense", key), "no PEM certificate"),
        (lambda chain, key: (chain, b"nonsense"), "does not open"),
        (lambda chain, key: (chain * 300, key), "too large"),
        (lambda chain, key: (chain, key * 3000), "too large"),
    ],
)
def test_a_spoiled_import_is_refused_and_changes_nothing(
    authority: Authority,
    public: Authority,
    spoil: Callable[[bytes, bytes], tuple[bytes, bytes]],
    sentence: str,
) -> None:
    chain, key = spoil(*issued(public))

    with pytest.raises(ImportRefused, match=sentence):
        check_chain(authority, chain, key)

    assert authority.stock.imports() == []


@pytest.mark.parametrize("hosts", [["other.example"], ["sip.clinic.example"]])
def test_a_certificate_for_other_names_is_refused(
    authority: Authority, public: Authority, hosts: list[str]
) -> None:
    chain, key = issued(public, ServerNames.parse(hosts))

    with pytest.raises(ImportRefused, match="phones connect to clinic"):
        check_chain(authority, chain, key)


def test_a_wildcard_does_not_count(authority: Authority, public: Authority) -> None:
    chain, key = issued(public, ServerNames(("*.clinic.example",)))

    with pytest.raises(ImportRefused, match="wildcards do not count"):
        check_chain(authority, chain, key)


def test_expired_and_future_chains_are_refused(
    authority: Authority, public: Authority, clock: HandClock
) -> None:
    chain, key = issued(public)

    clock.now += 400 * DAY
    with pytest.raises(ImportRefused, match="expired on"):
        check_chain(authority, chain, key)
    clock.now -= 500 * DAY
    with pytest.raises(ImportRefused, match="the clock of this machine says"):
        check_chain(authority, chain, key)


def test_a_client_certificate_is_refused_as_a_server(
    authority: Authority, public: Authority
) -> None:
    chain, key = issued(public, profile=DEVICE)

    with pytest.raises(ImportRefused, match="not meant for servers"):
        check_chain(authority, chain, key)


def test_a_self_signed_certificate_is_refused(authority: Authority, public: Authority) -> None:
    key = public.load_root_key(public.stock.root_key)

    with pytest.raises(ImportRefused, match="self-signed"):
        check_chain(authority, public.stock.root.read_bytes(), key_pem(key))


def test_an_authority_is_refused_as_a_server(authority: Authority, public: Authority) -> None:
    issuer = public.issuer()
    chain = certificate_pem(issuer.certificate) + public.stock.root.read_bytes()

    with pytest.raises(ImportRefused, match="alone"):
        check_chain(authority, chain, key_pem(issuer.key))


def test_a_short_lived_import_says_when_it_ends(authority: Authority, public: Authority) -> None:
    chain, key = issued(public, profile=replace(SERVER, days=45))

    imported = check_chain(authority, chain, key)

    assert imported.expires - public.now() == datetime.timedelta(days=45)
