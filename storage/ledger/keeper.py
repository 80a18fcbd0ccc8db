"""Keeps heads and segments of one exchange's chains: its own and those of its spools."""

import asyncio

import structlog
from sqlalchemy import or_, select

from storage.database import Database
from storage.identifiers import Clock
from storage.ledger.heads import HeadMaker, HeadSigner
from storage.ledger.segments import close_months
from storage.ledger.table import RAW

log = structlog.get_logger()


class HeadKeeper:
    """Makes heads every so often or every so many rows, whichever comes first."""

    def __init__(
        self,
        database: Database,
        writer: str,
        *,
        clock: Clock,
        signer: HeadSigner | None = None,
        seconds: float = 60,
        rows: int = 1_000,
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._maker = HeadMaker(database, clock=clock, signer=signer)
        self._seconds, self._rows = seconds, rows
        self._added = 0
        self._enough = asyncio.Event()
        self._turn = asyncio.Lock()

    @property
    def is_disputed(self) -> bool:
        """The key holder will not sign what the database says happened."""
        return self._maker.is_disputed

    def rows_added(self, count: int) -> None:
        """Told by the committer after each commit."""
        self._added += count
        if self._added >= self._rows:
            self._enough.set()

    async def keep(self) -> int:
        """One pass over every chain of this exchange; the number of heads made."""
        async with self._turn:
            self._added = 0
            self._enough.clear()
            made = 0
            for writer in await self._writers():
                made += await self._maker.make(writer)
                async with self._database.begin() as connection:
                    await close_months(connection, writer, self._clock)
            return made

    async def run(self) -> None:
        """Until cancelled. A database that is away is tried again at the next turn."""
        while True:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._enough.wait()
            except TimeoutError:
                pass
            try:
                await self.keep()
            except Exception as failure:  # noqa: BLE001 - the committer raises the alarm; heads just wait
                log.warning("ledger heads have to wait", reason=type(failure).__name__)

    async def _writers(self) -> list[str]:
        spools = RAW.c.writer.startswith(f"{self._writer}.spool.", autoescape=True)
        query = select(RAW.c.writer).where(or_(RAW.c.writer == self._writer, spools)).distinct()
        async with self._database.read() as connection:
            return sorted((await connection.execute(query)).scalars())
