"""What is said of messages, prompt by prompt."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from pbx.features.voicemail_spoken import counts_said, envelope_said, when_said
from storage.messages import Counts, Message, MessageState

NOBODY = UUID(int=0)
MESSAGE = Message(
    id=NOBODY, mailbox=NOBODY, content=bytes(16), state=MessageState.NEW, codec="pcmu",
    milliseconds=1, octets=1, segments=1, digest=b"", is_complete=True, is_urgent=False,
    is_private=False, deposit_key=NOBODY, slot=b"", adopted_at=1, received_at=0, call=None,
    forwarded_from=None, records_key=None, caller_sealed=None, heard_at=None, state_at=0,
    deleted_by=None, certificate=None,
)  # fmt: skip


@pytest.fixture(autouse=True)
def half_an_hour_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own clock counts, whatever it is set to."""
    monkeypatch.setenv("TZ", "Test-00:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(day: int, hour: int, minute: int) -> int:
    """By UTC."""
    return int(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Counts(0, 0), "vm-none"),
        (Counts(1, 0), "vm-you-have number-1 vm-new-one"),
        (Counts(0, 1), "vm-you-have number-1 vm-saved-one"),
        (Counts(21, 2), "vm-you-have number-20 number-1 vm-new vm-and number-2 vm-saved"),
    ],
)
def test_how_many_there_are(counts: Counts, said: str) -> None:
    assert counts_said(counts) == tuple(said.split())


@pytest.mark.parametrize(
    ("came", "said"),
    [
        (at(22, 13, 30), "vm-today number-14 vm-hundred"),
        (at(22, 8, 35), "vm-today number-9 vm-oh number-5"),
        (at(21, 23, 40), "vm-today number-0 number-10"),
        (at(21, 8, 44), "vm-yesterday number-9 number-14"),
        (at(19, 8, 44), "number-3 vm-days-ago number-9 number-14"),
        (at(1, 8, 44) - 200 * 86_400_000_000, "number-90 number-9 vm-days-ago number-9 number-14"),
        (at(23, 8, 44), "vm-today number-9 number-14"),
    ],
    ids=str,
)
def test_when_it_came(came: int, said: str) -> None:
    """The last one by a clock that was put back since."""
    assert when_said(came, at(22, 15, 0)) == tuple(said.split())


def test_what_is_special_about_it_and_whose_it_is() -> None:
    now, plain = at(22, 15, 0), replace(MESSAGE, received_at=at(22, 13, 30))
    words = ("vm-message", "number-2", "vm-today", "number-14", "vm-hundred")
    assert envelope_said(plain, 2, now) == words

    marked = replace(
        plain, is_urgent=True, is_private=True, forwarded_from=NOBODY, is_complete=False
    )
    said = envelope_said(marked, 2, now, "+15*")
    marks = ("vm-urgent", "vm-private", "vm-forwarded", "vm-cut")
    assert said == (*words[:2], *marks, *words[2:], "vm-from", "number-1", "number-5")
