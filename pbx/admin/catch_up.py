"""Brings the key holder's table up to ours where ours has taken something away.

Revocations made while the key holder was away wait here, that is: in the difference of the two
tables, so that nothing is lost if the exchange dies meanwhile. They are applied before anything
else is asked of a key holder that came back. Nothing is ever given this way.
"""

import structlog

from pbx.admin.endings import revoke
from pbx.admin.plane import Plane
from storage import mailboxes, tenures
from storage.conflicts import NotFound
from storage.keyholder.client import KeyHolderUnavailable
from storage.keyholder.protocol import Evidence, MailboxView, PersonView
from storage.people import PersonState, facts_of

log = structlog.get_logger()


async def catch_up(plane: Plane) -> int:
    """Applies what waits; answers how many revocations there were. Raises if it is away."""
    count = 0
    for view in await plane.keyholder.people():
        count += await _person(plane, view)
    for mailbox in await plane.keyholder.mailboxes():
        if mailbox.closed is None and not await _is_open(plane, mailbox):
            await plane.keyholder.end_tenure(mailbox.id, Evidence(plane.deed().operation))
            count += 1
    plane.is_behind = False
    if count:
        log.info("revocations that waited were applied", count=count)
    return count


async def _person(plane: Plane, view: PersonView) -> int:
    async with plane.database.read() as connection:
        try:
            state = (await facts_of(connection, view.id)).state
        except NotFound:
            return (
                0  # an enrolment that is still under way, or a restored database: an alarm's matter
            )
    behind = {PersonState.SUSPENDED: ("left", "suspended"), PersonState.LEFT: ("left",)}
    if state is PersonState.ACTIVE or view.state in behind[state]:
        return 0
    evidence = Evidence(plane.deed().operation)
    ended = await revoke(plane, view.id, evidence, for_good=state is PersonState.LEFT)
    if not ended.complete:
        raise KeyHolderUnavailable("the key holder does not answer")
    return 1


async def _is_open(plane: Plane, mailbox: MailboxView) -> bool:
    """An interrupted epoch is not over: a temporary holder's end brings it back."""
    async with plane.database.read() as connection:
        if mailbox.owner is None:
            return await mailboxes.is_known(connection, mailbox.id)
        return await tenures.is_alive(connection, mailbox.tenure)
