"""Which mailboxes somebody may list: by what the key holder says; it decides each opening anew."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from storage.keyholder.protocol import MailboxView


def readable_by(person: UUID, boxes: Iterable[MailboxView], now: int) -> list[UUID]:
    """One's own while they are open, and those one is a named member of now."""
    return [
        box.id
        for box in boxes
        if (box.owner == person and box.closed is None and not _is_over(box.until, now))
        or any(
            one.person == person and one.start <= now and not _is_over(one.until, now)
            for one in box.members
        )
    ]


def _is_over(until: int | None, now: int) -> bool:
    return until is not None and until <= now
