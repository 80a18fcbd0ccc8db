"""Diagnosis of a chain against a name, roots and a clock: a sentence with its evidence."""

import datetime
import ssl

import pytest

from certs.authority import Authority
from certs.diagnose import Cause, cause_of, examine
from certs.stock import load_chain

DAY = datetime.timedelta(days=1)


def causes(authority: Authority, name: str = "clinic.example", days: int = 0) -> list[Cause]:
    chain = load_chain(authority.stock.server)
    now = authority.now() + days * DAY
    return [finding.cause for finding in examine(chain, name, [authority.root_certificate], now)]


def test_a_good_chain_has_no_findings(authority: Authority) -> None:
    authority.issue_server()

    assert causes(authority) == []


def test_each_fault_is_found_with_its_evidence(authority: Authority) -> None:
    authority.issue_server()

    assert causes(authority, "sip.clinic.example") == [Cause.WRONG_NAME]
    assert causes(authority, "192.0.2.1") == [Cause.WRONG_NAME]
    assert causes(authority, "not a name") == [Cause.WRONG_NAME]
    assert causes(authority, days=400) == [Cause.EXPIRED]
    assert causes(authority, days=-400) == [Cause.CLOCK_BEHIND, Cause.CLOCK_BEHIND]
    chain = load_chain(authority.stock.server)
    (finding,) = examine(chain, "clinic.example", [], authority.now())
    assert finding.cause is Cause.UNKNOWN_ISSUER
    assert "root authority" in str(finding)


def test_a_trusted_self_signed_root_is_its_own_issuer(authority: Authority) -> None:
    root = authority.root_certificate

    found = examine([root], "clinic.example", [root], authority.now())

    assert [finding.cause for finding in found] == [Cause.WRONG_NAME]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionResetError(), Cause.GONE),
        (ssl.SSLEOFError(), Cause.GONE),
        (ssl.SSLError("without a reason"), Cause.OTHER),
        (ValueError(), Cause.OTHER),
    ],
)
def test_errors_without_a_tls_reason_have_a_cause_too(error: Exception, cause: Cause) -> None:
    assert cause_of(error) is cause


def test_every_cause_is_one_sentence() -> None:
    for cause in Cause:
        assert cause.endswith(".")
        assert cause[0].isupper()
