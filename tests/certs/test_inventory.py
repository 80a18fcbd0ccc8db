"""What `pbx cert list` warns of, and when."""

from uuid import UUID

import pytest

from certs.authority import Authority
from certs.inventory import State, Status, statuses
from certs.profiles import Kind
from tests.support.clock import DAY, HandClock


def of(authority: Authority, kind: Kind) -> list[Status]:
    return [status for status in statuses(authority) if status.kind is kind]


@pytest.mark.parametrize(
    ("days", "state"),
    [(0, State.VALID), (794, State.VALID), (796, State.EXPIRING), (826, State.EXPIRED)],
)
def test_a_device_certificate_is_warned_about_from_thirty_days_before(
    authority: Authority, clock: HandClock, days: int, state: State
) -> None:
    authority.issue_device("sip:1001@clinic.example")
    clock.now += days * DAY

    (status,) = of(authority, Kind.DEVICE)

    assert status.state is state
    assert status.needs_attention == bool(status.remedy) == (state is not State.VALID)
    assert status.names == ("sip:1001@clinic.example",)


def test_replaced_and_revoked_certificates_need_no_attention(
    authority: Authority, clock: HandClock
) -> None:
    authority.issue_device("sip:1001@clinic.example")
    authority.revoke(authority.issue_device("sip:1002@clinic.example").serial)
    clock.now += 810 * DAY
    authority.issue_device("sip:1001@clinic.example")

    states = {(s.names[0][4:8], s.state) for s in of(authority, Kind.DEVICE)}

    assert states == {
        ("1001", State.REPLACED),
        ("1001", State.VALID),
        ("1002", State.REVOKED),
    }
    assert not any(status.needs_attention for status in of(authority, Kind.DEVICE))


def test_everything_in_force_is_listed_authorities_first(authority: Authority) -> None:
    authority.issue_server()
    authority.issue_device("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")

    kinds = [status.kind for status in statuses(authority)]

    assert kinds == [Kind.ROOT, Kind.ISSUING, Kind.SERVER, Kind.DEVICE, Kind.REVOCATION_LIST]


def test_a_revocation_list_that_was_not_renewed_is_named(
    authority: Authority, clock: HandClock
) -> None:
    clock.now += 13 * DAY
    (late,) = of(authority, Kind.REVOCATION_LIST)
    clock.now += 2 * DAY
    (expired,) = of(authority, Kind.REVOCATION_LIST)

    assert (late.state, expired.state) == (State.EXPIRING, State.EXPIRED)
    assert "pbx cert renew" in late.remedy


def test_a_clock_that_is_behind_is_named(authority: Authority, clock: HandClock) -> None:
    authority.issue_server()
    clock.now -= DAY

    (status,) = of(authority, Kind.SERVER)

    assert status.state is State.NOT_YET_VALID
    assert "clock" in status.remedy


def test_an_operators_certificate_is_listed_by_person_and_ends_in_a_year(
    authority: Authority, clock: HandClock
) -> None:
    person = UUID("f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
    first = authority.issue_operator(person)
    clock.now += 340 * DAY

    (status,) = of(authority, Kind.OPERATOR)
    assert (status.names, status.state) == ((f"person {person}",), State.EXPIRING)
    assert "pbx operator certify" in status.remedy

    second = authority.issue_operator(person)
    assert set(authority.operator_serials(person)) == {first.serial, second.serial}
    states = [status.state for status in of(authority, Kind.OPERATOR)]
    assert states == [State.REPLACED, State.VALID]
    assert of(authority, Kind.DEVICE) == []
