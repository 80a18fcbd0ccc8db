"""People: who works here, and until when."""

from collections.abc import Iterable

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from pbx.access.errors import RuleBroken
from pbx.access.policy import PersonKind, check_end, check_future, check_not_oneself
from pbx.access.roles import Privilege, Role
from pbx.admin import endings, resolve
from pbx.admin.followed import reinstated
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Performed, Proved
from pbx.admin.wire.people import (
    Departing,
    Departure,
    EndChange,
    EndedView,
    NameChange,
    NewPerson,
    PersonView,
    Resumption,
)
from storage import grants, people
from storage.conflicts import Stale
from storage.keyholder import acts
from storage.keyholder.protocol import Waiting
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.people import Person


@get("/v1/people", opt=needs(Privilege.PERSON_READ, Action.PERSON_LISTED), summary="Everybody")
async def list_people(
    plane: GivenPlane, caller: GivenCaller, after: FromQuery[str | None] = None
) -> list[PersonView]:
    last = None if after is None else await resolve.person(plane, after)
    found = await plane.run(plane.people.listed, caller.deed, last)
    async with plane.database.read() as connection:
        held = await grants.roles_held(connection, caller.deed.at)
    return [_view(person, held.get(person.facts.id, ())) for person in found]


@get("/v1/people/{who:str}", opt=needs(Privilege.PERSON_READ, Action.PERSON_READ), summary="One")
async def show_person(plane: GivenPlane, caller: GivenCaller, who: FromPath[str]) -> PersonView:
    person = await resolve.person(plane, who)
    found = await plane.run(plane.people.show, caller.deed, person)
    async with plane.database.read() as connection:
        return _view(found, await grants.roles_of(connection, person, caller.deed.at))


@post("/v1/people", opt=needs(Privilege.PERSON_ADD, Action.PERSON_ADDED), summary="Add a person")
async def add_person(
    plane: GivenPlane,
    caller: GivenCaller,
    data: JSONBody[NewPerson],
) -> Performed:
    check_end(data.kind, data.until, caller.deed.at)
    act = acts.AddPerson(person=data.id, login=data.login, until=data.until)
    new = people.NewPerson(
        id=data.id, login=data.login, name=data.name, kind=data.kind, until=data.until
    )
    async with plane.database.read() as connection:
        await plane.people.check_free(connection, new)
    subject = Subject("person", data.id)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.PERSON_ADDED, subject=subject
    )
    await plane.run(plane.people.add, caller.deed, new)
    return performed(caller, answer)


@post(
    "/v1/people/{who:str}/name",
    opt=needs(Privilege.PERSON_CHANGE, Action.PERSON_CHANGED),
    status_code=200,
    summary="Correct a name",
)
async def rename_person(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[str], data: JSONBody[NameChange]
) -> Changed:
    person = await resolve.person(plane, who)
    await plane.run(plane.people.rename, caller.deed, person, data.version, data.name)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/people/{who:str}/end",
    opt=needs(Privilege.PERSON_CHANGE, Action.PERSON_CHANGED),
    status_code=200,
    summary="Set when a person's access ends by itself",
)
async def set_end(
    plane: GivenPlane,
    caller: GivenCaller,
    who: FromPath[str],
    data: JSONBody[EndChange],
) -> Performed:
    """An earlier end takes effect at once; a later one, or none, waits for a second person."""
    person = await resolve.person(plane, who)
    check_not_oneself(caller.someone, person)
    async with plane.database.read() as connection:
        facts = await people.facts_of(connection, person)
    check_end(PersonKind(facts.kind), data.until, caller.deed.at)
    if facts.version != data.version:
        raise Stale("person")
    act = _end_act(facts, data.until)
    subject = Subject("person", person)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.PERSON_CHANGED, subject=subject
    )
    if isinstance(act, acts.SetEnd):
        await plane.run(plane.people.set_end, caller.deed, person, data.version, act.until)
    elif not isinstance(answer, Waiting):
        await plane.run(reinstated, caller.deed, plane.people, act)
    return performed(caller, answer)


def _end_act(facts: people.PersonFacts, until: int | None) -> acts.SetEnd | acts.Reinstate:
    if until is not None and (facts.until is None or until <= facts.until):
        return acts.SetEnd(person=facts.id, until=until)
    if facts.until is None:
        raise RuleBroken("the person has no end that could be taken away")
    return acts.Reinstate(person=facts.id, until=until)


@post(
    "/v1/people/{who:str}/suspension",
    opt=needs(Privilege.PERSON_SUSPEND, Action.PERSON_SUSPENDED),
    status_code=200,
    summary="Suspend a person at once",
)
async def suspend_person(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[str], data: JSONBody[Departing]
) -> Departure:
    person = await resolve.person(plane, who)
    check_not_oneself(caller.someone, person)
    return _departure(await endings.by_colleague(plane, caller, person, data.proof, for_good=False))


@post(
    "/v1/people/{who:str}/resumption",
    opt=needs(Privilege.PERSON_SUSPEND, Action.PERSON_RESUMED),
    status_code=200,
    summary="Let a suspended person back in; waits for a second person",
)
async def resume_person(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[str], data: JSONBody[Resumption]
) -> Performed:
    person = await resolve.person(plane, who)
    check_not_oneself(caller.someone, person)
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    act = acts.Reinstate(person=person, until=data.until)
    subject = Subject("person", person)
    answer = await plane.perform(
        caller, act, data.proof, action=Action.PERSON_RESUMED, subject=subject
    )
    if not isinstance(answer, Waiting):
        await plane.run(reinstated, caller.deed, plane.people, act)
    return performed(caller, answer)


@post(
    "/v1/people/{who:str}/departure",
    opt=needs(Privilege.PERSON_LEAVE, Action.PERSON_LEFT),
    status_code=200,
    summary="End everything of a person, for good",
)
async def leave_person(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[str], data: JSONBody[Departing]
) -> Departure:
    person = await resolve.person(plane, who)
    return _departure(await endings.by_colleague(plane, caller, person, data.proof, for_good=True))


@post(
    "/v1/people/{who:str}/unlocking",
    opt=needs(Privilege.PERSON_UNLOCK, Action.PERSON_UNLOCKED),
    status_code=200,
    summary="Lift a lock-out",
)
async def unlock_person(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[str], data: JSONBody[Proved]
) -> Performed:
    person = await resolve.person(plane, who)
    check_not_oneself(caller.someone, person)
    return await _about(
        plane, caller, acts.LiftLock(person=person), data.proof, Action.PERSON_UNLOCKED
    )


@post(
    "/v1/people/{who:str}/enrolment",
    opt=needs(Privilege.ENROLMENT_REQUEST, Action.ENROLMENT_ISSUED),
    status_code=200,
    summary="Ask for a one-time enrolment code (first time, or a reset)",
)
async def issue_enrolment(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[str], data: JSONBody[Proved]
) -> Performed:
    person = await resolve.person(plane, who)
    check_not_oneself(caller.someone, person)
    return await _about(
        plane, caller, acts.IssueEnrolment(person=person), data.proof, Action.ENROLMENT_ISSUED
    )


async def _about(
    plane: Plane,
    caller: Caller,
    act: acts.LiftLock | acts.IssueEnrolment,
    proof: bytes,
    action: Action,
) -> Performed:
    """An act that changes the key holder's table only."""
    subject = Subject("person", act.person)
    answer = performed(
        caller, await plane.perform(caller, act, proof, action=action, subject=subject)
    )

    async def work(unit: Unit) -> None:
        after = {"waits": answer.proposal is not None, "sole": answer.by_installation}
        unit.record(caller.deed.entry(action, subject, after=after))

    await plane.committer.run(work)
    return answer


def _view(person: Person, roles: Iterable[Role]) -> PersonView:
    facts = person.facts
    return PersonView(
        id=facts.id,
        login=person.login,
        name=person.name,
        kind=facts.kind,
        state=facts.state,
        enrolled=facts.enrolled_at is not None,
        active_at=facts.active_at,
        until=facts.until,
        ended_at=facts.ended_at,
        version=facts.version,
        roles=sorted(roles),
    )


def _departure(departed: endings.Departed) -> Departure:
    return Departure(
        operation=departed.operation,
        person=departed.person,
        at=departed.at,
        milliseconds=departed.milliseconds,
        ended=[
            EndedView(kind=ended.kind, count=ended.count, complete=ended.complete)
            for ended in departed.ended
        ],
    )


ROUTES = [
    list_people,
    show_person,
    add_person,
    rename_person,
    set_end,
    suspend_person,
    resume_person,
    leave_person,
    unlock_person,
    issue_enrolment,
]
