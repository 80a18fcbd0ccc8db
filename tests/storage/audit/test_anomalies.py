"""Each rule finds what it is for, at its threshold, with its evidence, the same way twice."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from storage.audit.anomalies import (
    CHANGES,
    EVIDENCE,
    Finding,
    Kind,
    Known,
    Thresholds,
    findings,
    local_midnight,
    sampled,
)
from storage.audit.rows import Found, Place
from storage.ledger.actions import Action

ANNA, BEN, NOTE, PHONE, SEAT = (UUID(int=number) for number in range(1, 6))
LIMITS = Thresholds(mailboxes_a_day=3, failures_an_hour=4)
KNOWN = Known(zone=ZoneInfo("Europe/Vienna"))


def at(day: int, hour: int, minute: int = 0) -> int:
    """Local time in November: an hour ahead of UTC."""
    moment = datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo("Europe/Vienna"))
    return int(moment.astimezone(UTC).timestamp()) * 1_000_000


def row(when: int, action: Action, person: UUID | None = ANNA, **more: Any) -> Found:
    parts: dict[str, Any] = {
        "operation": UUID(int=when), "outcome": "done", "actor": person, "session": None,
        "actor_kind": "person" if person else "nobody", "subject_kind": "message", "subject": NOTE,
        "before": None, "after": None, "has_detail": False,
    }  # fmt: skip
    place = Place(when, "exchange", when // 1_000_000)
    return Found(place=place, recorded_at=when, action=action, **(parts | more))


def found(rows: list[Found], known: Known = KNOWN, **limits: Any) -> list[Finding]:
    chosen = Thresholds(**{"mailboxes_a_day": 3, "failures_an_hour": 4} | limits)
    first, again = findings(rows, chosen, known), findings(reversed(rows), chosen, known)
    assert [one.item for one in first] == [one.item for one in again]
    return first


def test_content_at_night_is_one_finding_a_person_and_a_night() -> None:
    rows = [
        row(at(3, 20), Action.MESSAGE_HEARD),
        row(at(3, 23), Action.CALL_PARTIES_READ),
        row(at(4, 5, 59), Action.MESSAGE_EXPORTED),
        row(at(4, 21), Action.MESSAGE_HEARD),
        row(at(3, 22), Action.MESSAGE_HEARD, BEN),
        row(at(3, 12), Action.MESSAGE_HEARD, BEN),
        row(at(3, 23), Action.MESSAGE_HEARD, BEN, outcome="refused"),
        row(at(3, 23), Action.CALL_LISTED, BEN),
        row(at(3, 23), Action.MESSAGE_DEPOSITED, None),
    ]

    first, second, third = found(rows)

    assert {one.kind for one in (first, second, third)} == {Kind.OFF_HOURS}
    assert (first.people, first.facts["rows"]) == ((ANNA,), 3)
    assert first.rows == tuple(str(one.place) for one in rows[:3])
    assert first.begins == at(3, 0) == local_midnight(at(3, 20), KNOWN)
    assert (second.people, third.people) == ((BEN,), (ANNA,))
    assert found(rows, from_hour=0, until_hour=24) == []


def test_more_mailboxes_than_a_days_work_takes_are_found_once() -> None:
    boxes = {UUID(int=100 + number): UUID(int=200 + number // 2) for number in range(10)}
    known = Known(mailbox_of=boxes, zone=KNOWN.zone)
    rows = [
        row(at(3, 9, number), Action.MESSAGE_HEARD, subject=message)
        for number, message in enumerate(boxes)
    ]

    (one,) = found(rows, known)

    assert (one.kind, one.people, one.facts) == (
        Kind.MANY_MAILBOXES, (ANNA,), {"rows": 4, "mailboxes": 5},
    )  # fmt: skip
    assert found(rows[:6], known) == [], "as many as the threshold are no finding"
    assert found(rows, known, mailboxes_a_day=0) == []
    later = row(at(4, 9), Action.MESSAGE_HEARD, subject=UUID(int=109))
    assert found([*rows[:5], later], known) == [], "another day"


def test_a_burst_of_failures_counts_what_its_rows_count() -> None:
    refused = {"outcome": "refused", "subject_kind": "device", "subject": PHONE}
    rows = [
        row(at(3, 9, minute), Action.CREDENTIAL_FAILED, None, **refused) for minute in (1, 2, 3)
    ]
    assert found(rows) == []

    (one,) = found([*rows, row(at(3, 9, 9), Action.SESSION_OPENED, None, **refused)])

    assert (one.kind, one.people, one.facts) == (Kind.FAILED_BURST, (), {"rows": 4, "count": 4})
    counted = row(at(3, 9, 9), Action.CREDENTIAL_FAILED, None, after={"count": 97}, **refused)
    assert found([*rows, counted])[0].facts["count"] == 100
    own = [
        row(at(3, 9, minute), Action.MESSAGE_HEARD, BEN, outcome="refused") for minute in range(4)
    ]
    assert found(own)[0].people == (BEN,)
    assert found([*rows, counted], failures_an_hour=0) == []
    apart = [*rows, row(at(3, 10), Action.CREDENTIAL_FAILED, None, **refused)]
    assert found(apart) == []


def test_a_sign_in_from_where_somebody_never_was() -> None:
    known = Known(
        place_of={SEAT: "uid 7", NOTE: "uid 8"}, places=frozenset({(ANNA, "uid 7")}),
        zone=KNOWN.zone,
    )  # fmt: skip
    opened = {"subject_kind": "session"}
    rows = [
        row(at(3, 9), Action.SESSION_OPENED, subject=SEAT, **opened),
        row(at(3, 10), Action.SESSION_OPENED, subject=NOTE, **opened),
        row(at(3, 11), Action.SESSION_OPENED, subject=NOTE, **opened),
        row(at(3, 12), Action.SESSION_OPENED, subject=PHONE, **opened),
        row(at(3, 13), Action.SESSION_OPENED, after={"device": str(PHONE)}),
        row(at(3, 14), Action.PHONE_SIGNED_IN, after={"device": str(PHONE)}),
        row(at(3, 9), Action.SESSION_OPENED, BEN, subject=SEAT, **opened),
    ]

    first, second = found(rows, known)

    assert (first.kind, first.facts["place"]) == (Kind.NEW_PLACE, "uid 8")
    assert second.facts["place"] == f"phone {PHONE}"
    assert first.people == second.people == (ANNA,), "the very first place is nobody's anomaly"


def test_a_phone_that_registers_from_where_it_never_was_is_one_finding_a_day() -> None:
    about = {"subject_kind": "device", "subject": PHONE, "actor_kind": "device"}
    address, program = {"address": True, "program": False}, {"address": False, "program": True}
    rows = [
        row(at(3, 9), Action.REGISTRATION_MOVED, PHONE, after=address, **about),
        row(at(3, 10), Action.REGISTRATION_MOVED, PHONE, after=program, **about),
        row(at(3, 11), Action.REGISTRATION_MOVED, PHONE, **about),
        row(at(4, 9), Action.REGISTRATION_MOVED, PHONE, after=program, **about),
        row(at(4, 10), Action.REGISTRATION_STARTED, PHONE, after=address, **about),
    ]

    first, second = found(rows)

    assert (first.kind, first.people, first.begins) == (Kind.MOVED_PHONE, (), at(3, 0))
    assert first.facts == {"rows": 2, "phone": str(PHONE), "new": "address and program"}
    assert second.facts["new"] == "program"
    (one,) = found(rows, phone_programs=0)
    assert one.facts == {"rows": 1, "phone": str(PHONE), "new": "address"}
    assert found(rows, phone_programs=0, phone_addresses=0) == []


def test_changes_without_a_ticket_are_one_finding_a_person_and_a_day() -> None:
    rows = [
        row(at(3, 9), Action.PERSON_ADDED),
        row(at(3, 10), Action.EXTENSION_ASSIGNED),
        row(at(3, 11), Action.PERSON_READ),
        row(at(4, 11), Action.POLICY_CHANGED),
    ]
    known = Known(ticketed=frozenset({rows[3].operation}), zone=KNOWN.zone)

    (one,) = found(rows, known)

    assert (one.kind, one.facts["rows"]) == (Kind.WITHOUT_TICKET, 2)
    assert found(rows, tickets=0) == []
    assert not {Action.PERSON_READ, Action.DEVICE_FIRST_SEEN, Action.HOLD_LISTED} & CHANGES


def test_calls_sent_on_to_no_extension_of_ours() -> None:
    known = Known(extensions=frozenset({PHONE}), zone=KNOWN.zone)
    inside = {"forwards": [{"when": "always", "extension": str(PHONE)}]}
    outside = {"forwards": [{"when": "always", "extension": "+12025550147"}]}
    rows = [
        row(at(3, 9), Action.REACH_CHANGED, after=inside),
        row(at(3, 10), Action.REACH_CHANGED, after=outside),
        row(at(3, 10), Action.REACH_CHANGED, None, after={"forwards": []}),
        row(at(3, 11), Action.REACH_CHANGED, None, after=outside, outcome="refused"),
    ]

    (one,) = found(rows, known)

    assert (one.kind, one.people) == (Kind.FORWARDED_OUTSIDE, (ANNA,))
    assert found([row(at(3, 12), Action.REACH_CHANGED, None, after=outside)])[0].people == ()


@pytest.mark.parametrize("person", [ANNA, None])
def test_what_the_journal_alone_knew_of_break_glass(person: UUID | None) -> None:
    rows = [
        row(at(3, 9), Action.BREAK_GLASS_COPIED, person, after={"event": "changed"}),
        row(at(3, 10), Action.BREAK_GLASS_COPIED, person, after={"event": "message-opened"}),
    ]

    (one,) = found(rows)

    assert (one.kind, one.people) == (Kind.BREAK_GLASS, (person,) if person else ())


def test_each_search_by_number_and_each_sample_is_looked_at() -> None:
    asked = row(at(3, 9), Action.AUDIT_NUMBER_SEARCHED)

    (one,) = found([asked, row(at(3, 9), Action.AUDIT_NUMBER_SEARCHED, outcome="intended")])

    assert (one.kind, one.people) == (Kind.NUMBER_SEARCH, (ANNA,))
    assert sampled(asked).people == (ANNA,)
    assert sampled(row(at(3, 9), Action.MESSAGE_HEARD, None)).people == ()
    assert sampled(asked).item != one.item


def test_evidence_is_bounded_and_says_how_much_there_is() -> None:
    rows = [row(at(3, 21, minute), Action.MESSAGE_HEARD) for minute in range(EVIDENCE + 9)]

    (one,) = found(rows)

    assert (len(one.rows), one.facts["rows"]) == (EVIDENCE, EVIDENCE + 9)
