"""The whole proof of one extension: a rehearsal on the live system, then the extension itself.

In one unit of work with the ledger row that says what came of it. The rehearsal is undone before
that row is written; no PIN is tried, nobody real is played, and nothing is counted as a failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from pbx.admin.plane import Plane
from pbx.isolation import elsewhere, features, following, present, routes, tables
from pbx.isolation.finding import Finding, Verdict, unknown
from pbx.isolation.scene import rehearsed
from pbx.telephony import Telephony
from storage.conflicts import Conflict
from storage.deeds import Deed
from storage.keyholder.client import KeyHolderError
from storage.keyholder.protocol import MailboxView
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.sealed.primitives import OpenError


async def prove(
    plane: Plane, telephony: Telephony, deed: Deed, extension: UUID, found: Sequence[routes.Route]
) -> list[Finding]:
    """`found`: the routes of the running application. Raises as the ledger does."""
    boxes = await _boxes(plane)

    async def work(unit: Unit) -> list[Finding]:
        held = await present.holders(unit.connection, extension)
        findings = await _rehearse(unit, plane, telephony, found)
        findings += await present.findings(unit.connection, held, telephony, boxes, plane.fields)
        counts = Counter(one.verdict for one in findings)
        after = {
            "isolated": counts[Verdict.ISOLATED],
            "not isolated": [f.path for f in findings if f.verdict is Verdict.BROKEN],
            "cannot tell": [f.path for f in findings if f.verdict is Verdict.UNKNOWN],
        }
        subject = Subject("extension", extension)
        unit.record(deed.entry(Action.ISOLATION_PROVED, subject, after=after))
        return findings

    return await plane.committer.run(work)


async def _rehearse(
    unit: Unit, plane: Plane, telephony: Telephony, found: Sequence[routes.Route]
) -> list[Finding]:
    try:
        async with rehearsed(unit, plane, telephony.phones) as scene:
            return [
                *features.findings(scene),
                *elsewhere.findings(scene, telephony.lamps),
                *following.findings(scene),
                *await tables.findings(scene),
                *await routes.findings(scene, plane.reaches, found),
            ]
    except (Conflict, IntegrityError):
        return [unknown("rehearsal", "the stores refuse that a number changes hands")]
    except OpenError:
        return [unknown("rehearsal", "a sealed field does not open where it stands")]


async def _boxes(plane: Plane) -> tuple[MailboxView, ...] | None:
    try:
        return await plane.keyholder.mailboxes()
    except KeyHolderError:
        return None
