"""Break-glass as the ledger tells it: rows for what the key holder has opened and closed.

The key holder decides and keeps the record; these rows follow. While the ledger cannot be written
they wait in the spool, and what only the journal knows is copied later (`pbx.reconciling`).
"""

from collections.abc import Iterator
from uuid import UUID

from pbx.admin.plane import Plane
from storage.deeds import Deed
from storage.details import sealed_detail
from storage.errors import LedgerUnavailable
from storage.keyholder import acts
from storage.keyholder.client import KeyHolderError
from storage.keyholder.decisions import BREAK_GLASS
from storage.keyholder.protocol import Ending, MailboxView
from storage.keyholder.signing import BadKey
from storage.ledger.actions import Action
from storage.ledger.entry import Entry, Subject
from storage.ledger.unit import Unit

LIFE = 30 * 60 * 1_000_000


async def recorded(plane: Plane, *entries: Entry) -> None:
    """In the ledger, else in its spool: break-glass does not wait for it."""

    async def work(unit: Unit) -> None:
        for entry in entries:
            unit.record(entry)

    try:
        await plane.committer.run(work)
    except LedgerUnavailable:
        for entry in entries:
            await plane.committer.note(entry)


def glass_broken(deed: Deed, proposal: UUID, requester: UUID, mailbox: UUID) -> list[Entry]:
    """What two people have opened, and the item that somebody else reviews afterwards."""
    subject = Subject("mailbox", mailbox)
    after = {
        "kind": BREAK_GLASS,
        "proposal": str(proposal),
        "requester": str(requester),
        "approver": str(deed.actor.id),
        "until": deed.at + LIFE,
    }
    return [
        deed.entry(Action.BREAK_GLASS_OPENED, subject, after=after),
        deed.entry(Action.REVIEW_OPENED, subject, after=after),
    ]


async def glass_mended(plane: Plane, ending: Ending) -> None:
    """It has ended by itself."""
    if ending.person is not None:
        after = {"person": str(ending.person), "reason": ending.reason}
        subject = Subject("mailbox", ending.subject)
        await recorded(plane, plane.deed().entry(Action.BREAK_GLASS_ENDED, subject, after=after))


def glass_ends(mailbox: MailboxView) -> Iterator[int]:
    """When what is open now ends, so that it is looked at then and not an hour later."""
    return (
        member.until
        for member in mailbox.members
        if member.kind == BREAK_GLASS and member.until is not None
    )


async def reason_of(plane: Plane, act: acts.BreakGlass, deed: Deed) -> bytes | None:
    """The stated reason for the row's detail; without a signed key it stays with the key holder."""
    try:
        keys = await plane.keyholder.public_keys("records")
        return sealed_detail(plane.pinned, keys[0], act.reason, deed.operation, deed.at)
    except (BadKey, KeyHolderError):
        return None
