"""A ledger row for what a local command is about to do; without the row it is not done.

Commands have a writer, and so a chain, of their own: they work while the exchange runs and while
it does not.
"""

import asyncio
from typing import Any, Final

from certs.owner import acting_as_owner_of
from pbx.cli.local_store import LocalStore, failures_as_sentences
from storage.database import Database
from storage.identifiers import new_id, system_clock
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import INSTALLATION, Entry, Subject
from storage.ledger.unit import Unit

WRITER: Final = "command"


def record(store: LocalStore, action: Action, subject: str, after: Any) -> None:
    """Commit one row, by whoever may write to the installation's files; then go on."""
    entry = Entry(
        action=action,
        outcome=Outcome.DONE,
        actor=INSTALLATION,
        operation=new_id(system_clock),
        subject=Subject(subject),
        after=after,
    )
    with failures_as_sentences(), acting_as_owner_of(store.layout.database):
        asyncio.run(_committed(store, entry))


async def _committed(store: LocalStore, entry: Entry) -> None:
    database = Database.connect(store.service)
    try:
        await database.check()
        async with Committer(database, WRITER, clock=system_clock) as committer:

            async def work(unit: Unit) -> None:
                unit.record(entry)

            await committer.run(work)
    finally:
        await database.close()
