"""What is said of messages: how many, which, when, from whom (pure)."""

from __future__ import annotations

from datetime import UTC, datetime

from pbx.features.dialogue import number, spelled
from storage.messages import Counts, Message

SECOND = 1_000_000
MOST_DAYS = 99


def counts_said(counts: Counts) -> tuple[str, ...]:
    """ "You have two new messages and one saved message." """
    if not counts.new and not counts.old:
        return ("vm-none",)
    said: tuple[str, ...] = ("vm-you-have",)
    if counts.new:
        said += (*number(counts.new), "vm-new-one" if counts.new == 1 else "vm-new")
    if counts.new and counts.old:
        said += ("vm-and",)
    if counts.old:
        said += (*number(counts.old), "vm-saved-one" if counts.old == 1 else "vm-saved")
    return said


def envelope_said(message: Message, position: int, now: int, from_: str = "") -> tuple[str, ...]:
    """Position, what is special about it, when it came; the number only where it may be said."""
    said: tuple[str, ...] = ("vm-message", *number(position))
    for applies, name in (
        (message.is_urgent, "vm-urgent"),
        (message.is_private, "vm-private"),
        (message.forwarded_from is not None, "vm-forwarded"),
        (not message.is_complete, "vm-cut"),
    ):
        if applies:
            said += (name,)
    said += when_said(message.received_at, now)
    if from_:
        said += ("vm-from", *spelled(from_))
    return said


def when_said(at: int, now: int) -> tuple[str, ...]:
    """Day and time on the clock of this machine."""
    then, present = _local(at), _local(now)
    days = (present.date() - then.date()).days
    day: tuple[str, ...]
    if days <= 0:
        day = ("vm-today",)
    elif days == 1:
        day = ("vm-yesterday",)
    else:
        day = (*number(min(days, MOST_DAYS)), "vm-days-ago")
    return (*day, *_clock(then.hour, then.minute))


def _clock(hour: int, minute: int) -> tuple[str, ...]:
    if minute == 0:
        return (*number(hour), "vm-hundred")
    if minute < 10:
        return (*number(hour), "vm-oh", *number(minute))
    return (*number(hour), *number(minute))


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone()
