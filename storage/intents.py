"""An intent: the row that is committed before another store is asked, and what proves it there."""

from typing import Any

from storage.deeds import Deed
from storage.keyholder.protocol import Evidence
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Subject
from storage.ledger.row import leaf
from storage.ledger.unit import Unit


async def intend(
    committer: Committer, deed: Deed, action: Action, subject: Subject | None, after: Any = None
) -> Evidence:
    """Commits the row and answers what ties the key holder's journal to it."""
    units: list[Unit] = []

    async def work(unit: Unit) -> None:
        unit.record(deed.entry(action, subject, after=after, outcome=Outcome.INTENDED))
        units.append(unit)

    await committer.run(work)
    return Evidence(deed.operation, leaf(units[0].rows[0]))
