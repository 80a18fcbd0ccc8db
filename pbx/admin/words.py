"""What was sealed into a row of the ledger: stated reasons, notes, tickets' texts.

The key holder opens it for a session that may read records; the row that says who reads which row
is committed before it is asked.
"""

from litestar import get
from litestar.params import FromPath
from sqlalchemy import select

from pbx.access.roles import Privilege
from pbx.admin.audit import recorded
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.rules import needs
from pbx.admin.wire.audit import WordsView
from pbx.admin.wire.fields import Label
from storage.conflicts import NotFound
from storage.details import Detail
from storage.ledger.actions import Action
from storage.models.ledger import ledger


@get(
    "/v1/audit/rows/{place:str}/words",
    opt=needs(Privilege.AUDIT_WORDS, Action.AUDIT_WORDS_READ),
    summary="What was sealed into one row; the key holder opens it",
)
async def show_words(plane: GivenPlane, caller: GivenCaller, place: FromPath[Label]) -> WordsView:
    """A row is named by its chain and number: exchange:1742."""
    writer, _, number = place.rpartition(":")
    sequence = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0
    query = select(ledger.c.detail, ledger.c.operation).where(
        ledger.c.writer == writer, ledger.c.sequence == sequence
    )
    async with plane.database.read() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None or row.detail is None:
        raise NotFound("row with sealed words")
    detail = Detail.decode(row.detail)
    evidence = await plane.intend(caller.deed, Action.AUDIT_WORDS_READ, None)
    key = await plane.keyholder.open_records_key(caller.handle, detail.key, detail.sealed, evidence)
    after = {"writer": writer, "sequence": sequence}
    await recorded(plane, caller, Action.AUDIT_WORDS_READ, after)
    return WordsView(words=detail.open(key, row.operation))


ROUTES = [show_words]
