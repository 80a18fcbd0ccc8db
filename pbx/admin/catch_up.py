"""Both tables compared, ours and the key holder's: whatever either has ended, ends in the other.

The key holder first ends what is due by its own table. What it has ended, ends here. What ended
here while it was away ends there only by a person's proof: until then its sessions there end each
time, nobody of ours lets the person in, and the alarm says which command is to be given again.
Nothing is ever given this way.
"""

from collections.abc import Iterable
from uuid import UUID

import structlog

from pbx.admin import endings, epochs
from pbx.admin.glass import glass_ends, glass_mended
from pbx.admin.grants_compared import compare_grants
from pbx.admin.plane import Plane
from storage import mailboxes, tenures
from storage.conflicts import NotFound
from storage.keyholder.protocol import Evidence, MailboxView, PersonView
from storage.ledger.unit import Unit
from storage.people import PersonState, facts_of
from storage.tenures import Tenure

UNDER_WAY = 60_000_000
"""What differs for less than a minute may be a change that is being made."""
RANKS = {"invited": 0, "active": 0, "suspended": 1, "left": 2}
VERBS = {PersonState.SUSPENDED: "suspend", PersonState.LEFT: "leave"}

log = structlog.get_logger()


async def catch_up(plane: Plane) -> int:
    """Answers how many endings were followed. Raises if the key holder is away."""
    plane.is_behind = False
    try:
        report = await plane.keyholder.report()
        plane.key_memory, plane.key_alarms = report.memory, report.alarms
        ended = await plane.keyholder.run_due(Evidence(plane.deed().operation))
        for ending in ended:
            await glass_mended(plane, ending)
        count = len(ended)
        waiting: list[str] = []
        people = await plane.keyholder.people()
        proposals = frozenset(one.id for one in await plane.keyholder.proposals())
        for view in people:
            count += await _person(plane, view, proposals, waiting)
        for mailbox in await plane.keyholder.mailboxes():
            count += await _mailbox(plane, mailbox, waiting)
            plane.look_at = min((plane.look_at, *glass_ends(mailbox)))
    except BaseException:
        plane.is_behind = True
        raise
    # Following an ending asks for another look; this was it.
    plane.is_behind = False
    plane.waiting = _few(waiting)
    if count:
        log.info("endings were followed", count=count)
    return count


async def _person(
    plane: Plane, view: PersonView, proposals: frozenset[UUID], waiting: list[str]
) -> int:
    async with plane.database.read() as connection:
        try:
            state = (await facts_of(connection, view.id)).state
        except NotFound:
            return 0  # an enrolment under way, or a restored database: an alarm's matter
    ours, theirs = RANKS[state.value], RANKS[view.state]
    if theirs > ours:
        gone = view.state == "left"
        await endings.by_itself(
            plane, plane.deed(), view.id, "ended at the key holder", for_good=gone
        )
        return 1
    if ours > theirs:
        await plane.keyholder.end_sessions(view.id, Evidence(plane.deed().operation))
        waiting.append(
            "Somebody's access has ended here and not at the key holder; "
            f"prove it with: pbx person {VERBS[state]} {view.id}"
        )
        return 0
    return await compare_grants(plane, view, proposals, waiting)


async def _mailbox(plane: Plane, view: MailboxView, waiting: list[str]) -> int:
    since = max(view.opened, view.closed or 0)
    if plane.clock() - since < UNDER_WAY:
        return 0
    async with plane.database.read() as connection:
        tenure = await tenures.of_mailbox(connection, view.id)
        if view.owner is None and tenure is None:
            is_open = await mailboxes.is_known(connection, view.id)
        else:
            is_open = await tenures.is_alive(connection, view.tenure)
    if view.closed is None and not is_open:
        waiting.append(
            f"Mailbox {view.id} is open at the key holder and belongs to no number here; "
            "an administrator closes it with: pbx mailbox close"
        )
    if view.closed is None or tenure is None or tenure.ended_at is not None:
        return 0
    await _over(plane, tenure)
    return 1


async def _over(plane: Plane, tenure: Tenure) -> None:
    deed = plane.deed()

    async def work(unit: Unit) -> None:
        await epochs.give_way(plane, unit, deed, tenure)

    await plane.committer.run(work)


def _few(sentences: Iterable[str], most: int = 10) -> tuple[str, ...]:
    found = list(sentences)
    more = [f"{len(found) - most} more endings wait for a proof."] if len(found) > most else []
    return (*found[:most], *more)
