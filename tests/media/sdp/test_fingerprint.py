"""RFC 8122."""

import pytest

from media.sdp.fingerprint import Fingerprint, Unusable

CERTIFICATE = b"not really DER"


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512"])
def test_a_fingerprint_matches_its_certificate_and_no_other(algorithm: str) -> None:
    fingerprint = Fingerprint.parse(str(Fingerprint.of(CERTIFICATE, algorithm)))

    assert fingerprint.matches(CERTIFICATE)
    assert not fingerprint.matches(b"another")


@pytest.mark.parametrize(
    "value",
    [
        "sha-1 " + ":".join(["00"] * 20),
        "md5 " + ":".join(["00"] * 16),
        "sha-256",
        "sha-256 " + ":".join(["00"] * 31),
        "sha-256 " + ":".join(["0G"] * 32),
        "sha-256 " + ":".join(["0"] * 32),
    ],
)
def test_a_weak_or_malformed_fingerprint_is_refused(value: str) -> None:
    with pytest.raises(Unusable):
        Fingerprint.parse(value)
