"""The console's rows: plain, printable, narrowed by words."""

from uuid import UUID

import pytest

from pbx.admin.models import Process, Status
from pbx.admin.wire.calls import LiveCall
from pbx.admin.wire.console import ConsoleView, ExceptionLine, LedgerLine
from pbx.admin.wire.phones import RegistrationView
from pbx.cli.console_tables import NOT_YOURS, PANELS, labels

SOMEBODY = UUID("00000000-0000-7000-8000-0000abcdef12")
STATUS = Status(
    version="9",
    state="ready",
    mode="three accounts",
    uptime_seconds=7_300,
    processes=[Process(name="keyholder", state="ready", restarts=2, uptime_seconds=60)],
    sections={"ledger": {"can be written": True, "rows lost": 0, "unknown": None}},
    alarms=["the disk is nearly full"],
)
VIEW = ConsoleView(
    status=STATUS,
    locks_at=60_000_000,
    now=0,
    calls=(
        LiveCall(
            id=SOMEBODY,
            route="extension",
            state="bridged",
            started_at=-125_000_000,
            answered_at=None,
            phones=("desk 1", "lab"),
        ),
    ),
    registrations=(
        RegistrationView(
            device=SOMEBODY,
            label="desk 1",
            source="192.0.2.1",
            user_agent="Evil\x1b[2J phone",
            tls="TLSv1.3",
            login="digest SHA-256",
            since=0,
            seen_at=0,
            expires_at=0,
        ),
    ),
    exceptions=(
        ExceptionLine(
            kind="md5-device", subject_kind="device", subject="lab", owner=SOMEBODY, expires_at=0
        ),
    ),
    ledger=(
        LedgerLine(
            occurred_at=0,
            action="session.opened",
            outcome="done",
            actor_kind="person",
            actor=SOMEBODY,
            subject_kind=None,
        ),
        LedgerLine(
            occurred_at=0,
            action="call.listed",
            outcome="refused",
            actor_kind="nobody",
            actor=None,
            subject_kind="call",
        ),
    ),
)
NOTHING = ConsoleView(status=STATUS, locks_at=0, now=0)
HEALTH, CALLS, PHONES, ALARMS, EXCEPTIONS, LEDGER = PANELS


def test_health_has_processes_sections_and_accounts() -> None:
    assert HEALTH.matching(VIEW, "") == [
        ("exchange", "ready", "up 2 h, 9"),
        ("process keyholder", "ready", "up 60 s, 2 restarts"),
        ("ledger", "can be written", "yes"),
        ("ledger", "rows lost", "0"),
        ("ledger", "unknown", ""),
        ("accounts", "", "three accounts"),
    ]


def test_calls_phones_alarms_exceptions_and_the_ledger_s_end() -> None:
    assert CALLS.matching(VIEW, "") == [("2 min", "bridged", "extension", "desk 1, lab")]
    assert PHONES.matching(VIEW, "")[0][:4] == ("desk 1", "192.0.2.1", "TLSv1.3", "digest SHA-256")
    assert ALARMS.matching(VIEW, "") == [("the disk is nearly full",)]
    assert EXCEPTIONS.matching(VIEW, "")[0][1::2] == ("device lab", "…abcdef12")
    assert [row[1:] for row in LEDGER.matching(VIEW, "")] == [
        ("session.opened", "done", "person …abcdef12", ""),
        ("call.listed", "refused", "nobody", "call"),
    ]


def test_what_a_phone_says_of_itself_moves_no_cursor() -> None:
    assert PHONES.matching(VIEW, "")[0][-1] == "Evil?[2J phone"


def test_every_word_narrows_capitals_or_not() -> None:
    assert len(LEDGER.matching(VIEW, "")) == 2
    assert [row[1] for row in LEDGER.matching(VIEW, "REFUSED call")] == ["call.listed"]
    assert LEDGER.matching(VIEW, "refused session") == []


@pytest.mark.parametrize("panel", (CALLS, PHONES, EXCEPTIONS, LEDGER), ids=lambda p: p.name)
def test_what_roles_do_not_allow_says_so(panel) -> None:
    assert panel.matching(VIEW, "")[0][0] != NOT_YOURS
    [row] = panel.matching(NOTHING, "anything")
    assert (row[0], len(row)) == (NOT_YOURS, len(panel.columns))


def test_tabs_count_what_can_be_counted() -> None:
    assert list(labels(VIEW)) == [
        "1 Health", "2 Calls 1", "3 Phones 1", "4 Alarms 1", "5 Exceptions 1", "6 Ledger"
    ]  # fmt: skip
    assert list(labels(NOTHING))[1:3] == ["2 Calls", "3 Phones"]
