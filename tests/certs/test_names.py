"""certs/names.py: whose certificate it is; an operator's is no phone's, and the other way round."""

from uuid import UUID

import pytest
from cryptography import x509

from certs.authority import Authority
from certs.issue import common_name, new_key, sign
from certs.names import identity_of, operator_of
from certs.profiles import DEVICE, OPERATOR, Kind, kind_of

PERSON = UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")


def issued(authority: Authority, *uris: str) -> x509.Certificate:
    key = new_key(OPERATOR).public_key()
    names = [x509.UniformResourceIdentifier(uri) for uri in uris]
    return sign(OPERATOR, common_name("x"), key, authority.issuer(), authority.now(), names)


def test_an_operators_certificate_is_no_phones(authority: Authority) -> None:
    made = authority.issue_operator(PERSON)
    certificate = x509.load_pem_x509_certificate(made.chain_pem)

    assert (operator_of(certificate), identity_of(certificate)) == (PERSON, None)
    assert kind_of(certificate) is Kind.OPERATOR


def test_a_phones_certificate_is_no_operators(authority: Authority) -> None:
    made = authority.issue_device(f"urn:uuid:{PERSON}")
    certificate = x509.load_pem_x509_certificate(made.chain_pem)

    assert (operator_of(certificate), identity_of(certificate)) == (None, f"urn:uuid:{PERSON}")
    assert kind_of(certificate) is Kind.DEVICE


@pytest.mark.parametrize(
    "uris",
    [
        (),
        ("hipaa-pbx:operator:nobody",),
        (f"x-hipaa-pbx:operator:{PERSON}",),
        (f"hipaa-pbx:operator:{PERSON}", f"hipaa-pbx:operator:{PERSON}"),
    ],
)
def test_only_one_whole_name_counts(authority: Authority, uris: tuple[str, ...]) -> None:
    certificate = issued(authority, *uris)

    assert operator_of(certificate) is None
    assert DEVICE.purpose == OPERATOR.purpose
