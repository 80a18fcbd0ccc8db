"""Are the triggers still there that refuse changes? An owner can drop them; verify says so."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.models.ledger import APPEND_ONLY

SQLITE = ("no_update", "no_delete", "no_replace")


async def missing_guards(connection: AsyncConnection) -> list[str]:
    """Names of triggers that are not there or do not refuse."""
    tables = [table.name for table in APPEND_ONLY]
    if connection.dialect.name == "sqlite":
        wanted = {f"{table}_{guard}" for table in tables for guard in SQLITE}
        query = (
            "SELECT name FROM sqlite_master WHERE type = 'trigger' "
            "AND sql LIKE '%RAISE(ABORT%' AND name LIKE tbl_name || '%'"
        )
    else:
        wanted = {f"{table}_no_change" for table in tables}
        query = (
            "SELECT tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
            "WHERE tgenabled = 'O' AND proname = 'refuse_change' "
            "AND prosrc LIKE '%RAISE EXCEPTION%'"
        )
    present = (await connection.execute(text(query))).scalars().all()
    return sorted(wanted - set(present))
