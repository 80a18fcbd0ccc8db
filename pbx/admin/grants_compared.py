"""Role grants compared, ours and the key holder's: its own decide, ours follow and never lead.

A crash or a ledger that fails between the key holder's act and our row would leave a role in force
here that was revoked there, or a request waiting that nobody can approve any more. What the key
holder alone holds is shown: a row of ours may have been altered, or its store restored.
"""

from collections.abc import Collection
from uuid import UUID

from pbx.admin.plane import Plane
from storage import grants
from storage.grants import GrantFacts, GrantState
from storage.keyholder.protocol import PersonView

UNDER_WAY = 60_000_000
"""What differs for less than a minute may be a change that is being made."""


async def compare_grants(
    plane: Plane, person: PersonView, proposals: frozenset[UUID], waiting: list[str]
) -> int:
    """Answers how many of ours were ended; adds to `waiting` what needs somebody."""
    now, ended = plane.clock(), 0
    async with plane.database.read() as connection:
        ours = {facts.id: facts for facts in await grants.open_of(connection, person.id)}
    theirs = {grant.id: grant for grant in person.grants}
    for facts in ours.values():
        if now - _since(facts) >= UNDER_WAY and _is_over(facts, theirs.keys(), proposals):
            await plane.run(plane.grants.revoke, plane.deed(), facts.id, "not at the key holder")
            ended += 1
    for grant in theirs.values():
        here = ours.get(grant.id)
        is_ours = here is not None and here.state is GrantState.ACTIVE
        has_ended = grant.until is not None and grant.until <= now
        if not is_ours and not has_ended and now - grant.start >= UNDER_WAY:
            plane.look_at = min(plane.look_at, now + UNDER_WAY)  # it may be on its way
            waiting.append(
                f"The key holder knows a role ({grant.role}) that is not in force here; "
                f"end it with: pbx role revoke {grant.id}"
            )
    return ended


def _is_over(facts: GrantFacts, theirs: Collection[UUID], proposals: Collection[UUID]) -> bool:
    if facts.id in theirs:
        return False
    return facts.state is GrantState.ACTIVE or facts.proposal not in proposals


def _since(facts: GrantFacts) -> int:
    return max(facts.requested_at, facts.starts_at or 0)
