"""Renewal at two thirds of life, on a clock moved by hand."""

from pathlib import Path

from certs.authority import Authority
from certs.config import CertsConfig
from certs.names import ServerNames
from certs.profiles import Kind
from certs.renew import Prevented, Renewed, renew_due
from certs.revoke import read_lists
from certs.stock import load_certificate
from tests.support.clock import DAY, HandClock


def kinds(authority: Authority) -> list[Kind]:
    return [outcome.kind for outcome in renew_due(authority) if isinstance(outcome, Renewed)]


def test_a_missing_server_certificate_is_issued_and_nothing_else_is_done(
    authority: Authority,
) -> None:
    assert kinds(authority) == [Kind.SERVER]
    assert kinds(authority) == []


def test_the_server_certificate_is_renewed_at_two_thirds_of_its_life(
    authority: Authority, clock: HandClock
) -> None:
    authority.issue_server()
    first = load_certificate(authority.stock.server)

    clock.now += 242 * DAY
    authority.renew_revocation_list()
    before = kinds(authority)
    clock.now += 2 * DAY
    after = kinds(authority)

    assert before == []
    assert after == [Kind.SERVER]
    second = load_certificate(authority.stock.server)
    assert second.public_key() != first.public_key()


def test_the_revocation_list_is_renewed_with_a_higher_number(
    authority: Authority, clock: HandClock
) -> None:
    authority.issue_server()
    (first,) = read_lists(authority.stock.revocation_list)
    clock.now += 10 * DAY

    assert kinds(authority) == [Kind.REVOCATION_LIST]
    (second,) = read_lists(authority.stock.revocation_list)
    assert first.next_update_utc is not None
    assert second.next_update_utc is not None
    assert second.next_update_utc > first.next_update_utc


def test_new_names_in_the_configuration_renew_the_server_certificate(
    authority: Authority, clock: HandClock
) -> None:
    authority.issue_server()
    config = CertsConfig(names=("sip.clinic.example",), addresses=("192.0.2.1",))

    changed = Authority.open(authority.stock.directory, "clinic.example", clock, config)

    assert kinds(changed) == [Kind.SERVER]
    names = ServerNames.of(load_certificate(authority.stock.server))
    assert names.hosts == ("clinic.example", "sip.clinic.example")
    assert kinds(changed) == []


def test_a_revoked_server_certificate_is_replaced(authority: Authority) -> None:
    certificate = authority.issue_server()
    authority.revoke(f"{certificate.serial_number:x}")

    assert kinds(authority) == [Kind.SERVER]


def test_the_issuing_authority_is_renewed_while_the_root_key_is_here(
    authority: Authority, clock: HandClock
) -> None:
    authority.issue_server()
    clock.now += 2000 * DAY

    assert kinds(authority) == [Kind.ISSUING, Kind.SERVER]
    assert len(read_lists(authority.stock.revocation_list)) == 2


def test_without_the_root_key_the_operator_is_told_what_to_bring(
    authority: Authority, clock: HandClock, tmp_path: Path
) -> None:
    authority.issue_server()
    authority.move_root_key(tmp_path / "root.key")
    clock.now += 2000 * DAY

    prevented = [o for o in renew_due(authority) if isinstance(o, Prevented)]

    assert [outcome.kind for outcome in prevented] == [Kind.ISSUING]
    assert "--root-key" in prevented[0].remedy
