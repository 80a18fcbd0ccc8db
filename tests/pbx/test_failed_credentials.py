"""A flood of wrong passwords makes a few rows and a number, whoever it pretends to be."""

import json
from uuid import uuid4

from pbx.access.authenticate import Failure, Reason
from pbx.access.floods import FloodLimits
from pbx.failed_credentials import FailedCredentials
from storage.ledger.actions import Action
from storage.ledger.entry import NOBODY, ActorKind, Entry
from tests.support.clock import HandClock

MINUTE = 60_000_000


def test_a_flood_at_one_name_is_a_few_rows_and_their_number() -> None:
    rows: list[Entry] = []
    clock = HandClock()
    failures = FailedCredentials(rows.append, clock)
    device = uuid4()

    for _ in range(5_000):
        failures.failed(Failure(Reason.WRONG_SECRET, device, "192.0.2.1", "sha256"))
    alone = len(rows)
    clock.now += MINUTE
    failures.report()

    assert alone == 10
    assert len(rows) == 11
    assert rows[-1].after["count"] == 4_990
    assert rows[-1].actor.kind is ActorKind.DEVICE
    assert {row.action for row in rows} == {Action.CREDENTIAL_FAILED}


def test_many_names_from_many_networks_are_bounded_and_counted() -> None:
    rows: list[Entry] = []
    failures = FailedCredentials(rows.append, HandClock(), FloodLimits())

    for number in range(20_000):
        source = f"2001:db8:{number >> 8:x}:{number & 255:x}::1"
        failures.failed(Failure(Reason.UNKNOWN_NAME, None, source, "sha256"))
    failures.report(all_=True)

    assert len(rows) < 400
    assert sum(row.after.get("count", 1) for row in rows) == 20_000
    assert all(row.actor is NOBODY for row in rows)
    assert "2001" not in json.dumps([row.after for row in rows])


def test_a_lock_out_is_a_row_beside_the_failure_that_led_to_it() -> None:
    rows: list[Entry] = []
    failures = FailedCredentials(rows.append, HandClock())

    failures.failed(Failure(Reason.WRONG_SECRET, uuid4(), "192.0.2.1", "sha256", locked=True))

    assert [row.action for row in rows] == [Action.CREDENTIAL_FAILED, Action.DEVICE_LOCKED]
