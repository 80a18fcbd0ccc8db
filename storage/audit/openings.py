"""Who opened a message: the ledger's rows and the key holder's journal, put side by side.

An intact opening has a row that intends it, an entry of the journal and a row that says it is done,
all of one operation. What is in one of the two records alone is shown as such.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from storage.audit.rows import Found
from storage.keyholder.journal import Entry, Event
from storage.ledger.actions import Action, Outcome

ACTIONS = frozenset((Action.MESSAGE_HEARD, Action.MESSAGE_EXPORTED, Action.MESSAGE_FORWARDED))
"""What is done with the sound of a message."""
COMMAND = "command"
WITHOUT_AUDIT = "opened without audit"
JOURNAL_ALONE = "break-glass, recorded by the journal alone"


class Journalled(StrEnum):
    """What the journal says about an operation."""

    OPENED = "opened"
    REFUSED = "refused"
    NOTHING = "nothing"
    UNKNOWN = "not asked"
    """The key holder is away, or the journal was not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One operation on a message's sound."""

    at: int
    message: UUID
    action: str
    outcome: str
    person: UUID | None
    device: UUID | None
    """The phone; None: by command, or nobody knows."""
    place: str
    operation: UUID | None
    journal: Journalled
    by_break_glass: bool = False

    @property
    def was_opened(self) -> bool:
        """Whether somebody had the sound, by either record."""
        return self.journal is Journalled.OPENED or (
            self.journal is Journalled.UNKNOWN and self.outcome == Outcome.DONE
        )


def openings(rows: Iterable[Found], entries: Sequence[Entry] | None) -> list[Opening]:
    """Oldest first. `entries` is what the journal has about the messages; None: not asked."""
    told: dict[UUID, list[Entry]] = {}
    for entry in entries or ():
        if entry.operation is not None:
            told.setdefault(entry.operation, []).append(entry)
    grouped: dict[UUID, list[Found]] = {}
    for row in rows:
        if row.action in ACTIONS and row.subject is not None:
            grouped.setdefault(row.operation, []).append(row)
    found = [
        _of_rows(sorted(group, key=lambda row: (row.recorded_at, row.place)), told.get(operation),
                 was_asked=entries is not None)
        for operation, group in grouped.items()
    ]  # fmt: skip
    found += [
        _of_journal(entry)
        for entry in entries or ()
        if entry.event is Event.MESSAGE_OPENED and entry.operation not in grouped
    ]
    return sorted(found, key=lambda opening: opening.at)


def _of_rows(group: list[Found], told: list[Entry] | None, *, was_asked: bool) -> Opening:
    first, last = group[0], group[-1]
    device = next((id for row in group if (id := row.named("device")) is not None), None)
    journal = _said(told or []) if was_asked else Journalled.UNKNOWN
    is_done = last.outcome == Outcome.DONE
    outcome = last.outcome
    if is_done and journal is Journalled.NOTHING:
        outcome = "done, which the journal does not know"
    return Opening(
        at=first.place.occurred_at,
        message=first.subject or UUID(int=0),
        action=first.action,
        outcome=outcome,
        person=first.actor,
        device=device,
        place="phone" if device else COMMAND,
        operation=first.operation,
        journal=journal,
        by_break_glass=any(_is_glass(entry) for entry in told or []),
    )


def _of_journal(entry: Entry) -> Opening:
    is_alone = _is_glass(entry) and not entry.ledger_row
    return Opening(
        at=entry.at,
        message=entry.subject or UUID(int=0),
        action=entry.event,
        outcome=JOURNAL_ALONE if is_alone else WITHOUT_AUDIT,
        person=entry.person,
        device=None,
        place="",
        operation=entry.operation,
        journal=Journalled.OPENED,
        by_break_glass=_is_glass(entry),
    )


def _said(told: list[Entry]) -> Journalled:
    events = {entry.event for entry in told}
    if Event.MESSAGE_OPENED in events:
        return Journalled.OPENED
    return Journalled.REFUSED if Event.REFUSED in events else Journalled.NOTHING


def _is_glass(entry: Entry) -> bool:
    return entry.act == "break-glass"
