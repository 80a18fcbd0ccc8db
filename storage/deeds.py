"""A deed: who does something, as which operation, and when. Every verb of a store takes one.

The verb writes the change and its ledger row in the same unit of work, so that neither exists
without the other (promise 3).
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from storage.ledger.actions import Action, Outcome
from storage.ledger.entry import Actor, Entry, Subject


@dataclass(frozen=True, slots=True)
class Deed:
    """One operation of one actor; `at` is the time all its rows carry."""

    actor: Actor
    operation: UUID
    at: int

    def entry(
        self,
        action: Action,
        subject: Subject | None = None,
        *,
        before: Any = None,
        after: Any = None,
        detail: bytes | None = None,
        outcome: Outcome = Outcome.DONE,
    ) -> Entry:
        return Entry(
            action=action,
            outcome=outcome,
            actor=self.actor,
            operation=self.operation,
            subject=subject,
            before=before,
            after=after,
            detail=detail,
            occurred_at=self.at,
        )
