"""The first administrator: made once, by the actor `installation`, before anybody can approve.

`pbx init` runs these two steps over a key holder that it has just founded. The password and the
second factor are sealed by the command; nobody is given a password, least of all a default one.
"""

from dataclasses import dataclass
from uuid import UUID

from pbx.access.roles import Role
from pbx.access.sessions import Terminal
from pbx.admin.plane import Caller, Plane
from storage.grants import NewGrant
from storage.keyholder import acts
from storage.keyholder.protocol import Done, Opened
from storage.ledger.actions import Action
from storage.ledger.entry import INSTALLATION
from storage.ledger.unit import Unit
from storage.people import NewPerson


class BootstrapRefused(Exception):
    """There is a first administrator already, or the key holder would not have this one."""


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    id: UUID
    login: str
    name: str

    def begin_act(self) -> acts.Bootstrap:
        return acts.Bootstrap(person=self.id, login=self.login)

    def finish_act(self) -> acts.ConfirmEnrolment:
        return acts.ConfirmEnrolment(login=self.login)


async def begin(plane: Plane, first: FirstAdministrator, proof: bytes) -> bytes:
    """Founds the account at the key holder; answers the sealed `Enrolment`."""
    caller = _installation(plane)
    answer = await plane.perform(caller, first.begin_act(), proof, action=Action.ENROLMENT_BEGUN)
    if not isinstance(answer, Done):
        raise BootstrapRefused("the key holder did not begin the enrolment")
    await plane.begun(caller.deed, first.id, first.begin_act())
    return answer.answer


async def finish(plane: Plane, first: FirstAdministrator, proof: bytes) -> None:
    """The first code is right: person, enrolment and grant are written, flagged as made alone."""
    caller = _installation(plane)
    answer = await plane.perform(caller, first.finish_act(), proof, action=Action.PERSON_ENROLLED)
    if not isinstance(answer, Opened):
        raise BootstrapRefused("the key holder did not finish the enrolment")
    await plane.keyholder.end_session(answer.session)
    new = NewPerson(id=first.id, login=first.login, name=first.name, kind="staff")
    grant = NewGrant(
        id=await _grant_at_key_holder(plane, first.id),
        person=first.id,
        role=Role.SYSTEM_ADMINISTRATOR,
        reason="first administrator of this installation",
        requested_by=None,
    )

    async def work(unit: Unit) -> None:
        await plane.people.add(unit, caller.deed, new)
        await plane.people.enrolled(unit, caller.deed, first.id)
        await plane.grants.make_by_installation(unit, caller.deed, grant)

    await plane.committer.run(work)


async def _grant_at_key_holder(plane: Plane, person: UUID) -> UUID:
    for view in await plane.keyholder.people():
        if view.id == person:
            return view.grants[0].id
    raise BootstrapRefused("the key holder does not know the first administrator")


def _installation(plane: Plane) -> Caller:
    return Caller(plane.deed(INSTALLATION), Terminal(os_uid=0))
