"""DTLS-SRTP against OpenSSL driven by a phone of the test's own."""

import datetime
import os
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from media.sdp.crypto_attribute import AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES_CM_128_HMAC_SHA1_80
from media.sdp.fingerprint import Fingerprint
from media.worker import dtls
from media.worker.dtls import LIFETIME, PROFILES, Handshake, Identity, datagrams, is_first_message

UTC_NOW = datetime.datetime.now(datetime.UTC)
OURS, PEER, STRANGER = Identity(), Identity(), Identity()


def pair(
    ours: Identity = OURS, peer: Identity = PEER, *, announced: Identity | None = None
) -> tuple[Handshake, Handshake]:
    """We are passive; both ends are ours, the phone of test_keying.py is not."""
    expected = frozenset({(announced or peer).fingerprint})
    passive = Handshake(ours, expected, is_active=False)
    return passive, Handshake(peer, frozenset({ours.fingerprint}), is_active=True)


def exchange(passive: Handshake, active: Handshake, to_passive: list[bytes]) -> None:
    while to_passive:
        to_active = [reply for datagram in to_passive for reply in passive.receive(datagram)]
        to_passive = [reply for datagram in to_active for reply in active.receive(datagram)]


def test_both_ends_come_to_the_same_keys_one_each_way() -> None:
    passive, active = pair()

    assert passive.start() == []
    exchange(passive, active, active.start())

    ours, theirs = passive.secrets, active.secrets
    assert ours is not None and theirs is not None
    assert ours.suite is theirs.suite is AEAD_AES_256_GCM
    assert (ours.ours, ours.theirs) == (theirs.theirs, theirs.ours)
    assert len(ours.ours) == AEAD_AES_256_GCM.master_length
    assert ours.ours != ours.theirs
    assert ours.ours.hex() not in repr(ours)


@pytest.mark.parametrize(
    ("profiles", "suite"),
    [
        (b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM", AEAD_AES_128_GCM),
        (b"SRTP_AES128_CM_SHA1_80", AES_CM_128_HMAC_SHA1_80),
        (b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM", AEAD_AES_256_GCM),
    ],
)
def test_the_strongest_profile_of_both_is_chosen_whatever_the_peers_order(
    profiles: bytes, suite: object
) -> None:
    passive, active = pair(peer=Identity(profiles))

    exchange(passive, active, active.start())

    assert passive.secrets is not None and passive.secrets.suite is suite
    assert (
        active.secrets is not None
        and len(active.secrets.ours) == passive.secrets.suite.master_length
    )


def test_our_preference_is_the_order_of_the_suites() -> None:
    assert list(PROFILES.values()) == [
        AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80,
    ]  # fmt: skip


def test_a_certificate_that_was_not_announced_gets_no_keys() -> None:
    passive, active = pair(announced=STRANGER)

    exchange(passive, active, active.start())

    assert passive.failure == "fingerprint"
    assert passive.secrets is None and active.secrets is None
    assert passive.receive(b"\x16anything") == []
    assert passive.seconds_left() is None


def test_the_client_checks_the_certificate_too() -> None:
    active = Handshake(OURS, frozenset({STRANGER.fingerprint}), is_active=True)
    passive = Handshake(PEER, frozenset({OURS.fingerprint}), is_active=False)

    exchange(passive, active, active.start())

    assert active.failure == "fingerprint"
    assert active.secrets is None and passive.secrets is None


def test_the_certificate_is_looked_at_again_before_keys_are_made() -> None:
    """Were OpenSSL's question to be lost, there would still be no keys."""
    careless = Identity()
    careless.context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    good, bad = pair(careless), pair(careless, announced=STRANGER)
    for passive, active in (good, bad):
        exchange(passive, active, active.start())

    assert good[0].secrets is not None
    assert (bad[0].failure, bad[0].secrets) == ("fingerprint", None)


def test_one_of_several_fingerprints_is_enough_and_the_issuer_is_not_asked() -> None:
    announced = frozenset({STRANGER.fingerprint, PEER.fingerprint})
    passive = Handshake(OURS, announced, is_active=False)
    active = Handshake(PEER, frozenset({OURS.fingerprint}), is_active=True)

    exchange(passive, active, active.start())

    assert passive.secrets is not None


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_certificate_that_nobody_can_read_is_compared_like_any_other(
    is_announced: bool, tmp_path: Path
) -> None:
    """OpenSSL takes a version that was never given out; stricter readers do not."""
    odd = Identity()
    key = ec.generate_private_key(ec.SECP256R1())
    good = x509.CertificateBuilder(
        x509.Name([]), x509.Name([]), key.public_key(), 7, UTC_NOW, UTC_NOW + LIFETIME
    ).sign(key, hashes.SHA256())
    der = good.public_bytes(Encoding.DER).replace(b"\xa0\3\2\1\2", b"\xa0\3\2\1\5", 1)
    with pytest.raises(x509.InvalidVersion):
        x509.load_der_x509_certificate(der)
    (tmp_path / "odd.der").write_bytes(der)
    odd.context.use_certificate_file(str(tmp_path / "odd.der"), crypto.FILETYPE_ASN1)
    odd.context.use_privatekey(key)
    odd.fingerprint = Fingerprint.of(der)
    passive, active = pair(peer=odd, announced=None if is_announced else STRANGER)

    exchange(passive, active, active.start())

    assert (passive.secrets is not None) is is_announced
    assert passive.failure == (None if is_announced else "fingerprint")


def test_a_peer_without_a_certificate_is_refused() -> None:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
    anonymous = SSL.Connection(context, None)
    anonymous.set_connect_state()
    passive, _ = pair()
    _converse(anonymous, passive)

    assert passive.secrets is None


def test_a_peer_without_our_profiles_gets_no_keys() -> None:
    plain = Identity(b"SRTP_AES128_CM_SHA1_32")
    passive, active = pair(peer=plain)

    exchange(passive, active, active.start())

    assert passive.failure == "handshake"
    assert passive.secrets is None


def test_a_lost_message_is_said_again_and_a_lost_end_repeated() -> None:
    passive, active = pair()
    active.start()  # lost
    first = _expired(active)
    assert first

    replies = [reply for datagram in first for reply in passive.receive(datagram)]
    last = [message for reply in replies for message in active.receive(reply)]
    for datagram in last:
        passive.receive(datagram)  # its answer is lost
    assert passive.secrets is not None and active.secrets is None
    assert passive.seconds_left() is None
    again = [reply for datagram in _expired(active) for reply in passive.receive(datagram)]
    for datagram in again:
        active.receive(datagram)

    assert active.secrets is not None and active.secrets.ours == passive.secrets.theirs


def test_garbage_neither_ends_nor_delays_a_handshake() -> None:
    passive, active = pair()
    hello = active.start()
    for size in (1, 13, 100, 1400):
        passive.receive(b"\x16" + os.urandom(size))
        passive.receive(b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2, "big") + os.urandom(size))

    exchange(passive, active, hello)

    assert passive.secrets is not None and active.secrets is not None


def test_forged_farewells_are_survived_a_few_times_and_then_given_up() -> None:
    alert = bytes.fromhex("15fefd 0000 00000000%04x 0002 0228".replace(" ", "") % 9)
    passive, active = pair()
    assert passive.receive(alert) == []
    exchange(passive, active, active.start())
    assert passive.secrets is not None

    one, _ = pair()
    for _ in range(dtls.MOST_ATTEMPTS):
        assert one.failure is None
        one.receive(alert)
    assert one.failure == "handshake"


def test_an_active_side_whose_attempt_was_spoilt_begins_anew() -> None:
    alert = bytes.fromhex("15fefd0000000000000009" + "0002" + "0228")
    passive, active = pair()
    active.start()

    hello = active.receive(alert)

    assert hello
    exchange(passive, active, hello)
    assert active.secrets is not None


def test_data_and_a_farewell_after_the_end_change_nothing() -> None:
    passive, active = pair()
    exchange(passive, active, active.start())
    before = passive.secrets

    active._connection.send(b"data")
    active._connection.shutdown()
    for datagram in active._written():
        passive.receive(datagram)

    assert passive.secrets is before and passive.failure is None


def test_a_first_message_is_known_by_its_octets() -> None:
    _, active = pair()
    (hello,) = active.start()

    assert is_first_message(hello)
    assert not is_first_message(hello[:13])
    assert not is_first_message(b"\x17" + hello[1:])
    assert not is_first_message(hello[:13] + b"\x02" + hello[14:])


def test_records_share_a_datagram_as_far_as_it_holds() -> None:
    def record(size: int) -> bytes:
        return b"\x16\xfe\xfd" + bytes(8) + size.to_bytes(2, "big") + bytes(size)

    found = datagrams(record(500) + record(500) + record(500) + record(1100))

    assert [len(one) for one in found] == [1026, 513, 1113]
    assert datagrams(b"") == []


def test_every_run_has_a_certificate_of_its_own() -> None:
    assert OURS.fingerprint != PEER.fingerprint
    assert OURS.fingerprint.algorithm == "sha-256"


def _converse(client: SSL.Connection, passive: Handshake) -> None:
    for _ in range(10):
        try:
            client.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error:
            return
        try:
            written = client.bio_read(65_536)
        except SSL.WantReadError:
            return
        for datagram in datagrams(written):
            for reply in passive.receive(datagram):
                client.bio_write(reply)


def _expired(handshake: Handshake) -> list[bytes]:
    """What it says again when its time is over: OpenSSL reads a clock of its own."""
    assert handshake.expire() == []
    while True:
        left = handshake.seconds_left()
        assert left is not None
        time.sleep(left)
        if said := handshake.expire():
            return said


def test_what_a_phone_says_after_the_handshake_is_not_kept() -> None:
    """Dozens of records in each datagram, of which nobody wants one."""
    passive, active = pair()
    exchange(passive, active, active.start())
    connection = active._connection
    for _ in range(50):
        datagram = b""
        for _ in range(30):
            connection.send(b"x")
            datagram += connection.bio_read(65_536)
        assert passive.receive(datagram) == []

    with pytest.raises(SSL.WantReadError):
        passive._connection.recv(1)
