"""The ledger cannot be rewritten quietly: its chains are whole and were anchored lately."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.engine import URL

from pbx.doctor.finding import Broken, CannotTell, Finding, judged
from storage.database import Database
from storage.errors import StorageError
from storage.identifiers import Clock, system_clock
from storage.keyholder.signing import BadKey, Pin, is_signed
from storage.ledger import anchors
from storage.ledger.report import Fault
from storage.ledger.verify import Scope, verify

DAY = 86_400_000_000
OLDEST_ANCHOR = 31
"""Days: an owner of this machine could rewrite what came after the last anchor."""


@dataclass(frozen=True, slots=True)
class Books:
    """Where the ledger is."""

    url: URL
    spools: Path
    pin: Path
    clock: Clock = system_clock


Check = Callable[[Books, Database], Awaitable[str]]


def findings(books: Books) -> Iterator[Finding]:
    yield judged("the ledger verifies", partial(_run, books, _verified))
    yield judged("the ledger was anchored lately", partial(_run, books, _anchored))


def _run(books: Books, check: Check) -> str:
    try:
        return asyncio.run(_within(books, check))
    except StorageError as error:
        raise CannotTell(str(error)) from None


async def _within(books: Books, check: Check) -> str:
    database = Database.connect(books.url)
    try:
        await database.check()
        return await check(books, database)
    finally:
        await database.close()


async def _verified(books: Books, database: Database) -> str:
    try:
        signer = partial(is_signed, Pin.read(books.pin).signing_key)
    except BadKey:
        raise CannotTell("the key holder's pin file is missing") from None
    scope = Scope(spools=sorted(books.spools.glob("*.spool")), is_genuine=signer)
    report = await verify(database, scope)
    if report.findings:
        # An altered row says more than the guard that was taken down for it.
        worst = min(report.findings, key=lambda finding: finding.fault is Fault.GUARD)
        raise Broken(worst.sentence)
    return f"{report.rows} rows of {len(report.writers)} chains are whole"


async def _anchored(books: Books, database: Database) -> str:
    made = await anchors.last_made(database)
    if made is None:
        raise Broken("never; see: pbx audit anchor")
    days = (books.clock() - made) // DAY
    if days > OLDEST_ANCHOR:
        raise Broken(f"{days} days ago; see: pbx audit anchor")
    return f"{days} days ago"
