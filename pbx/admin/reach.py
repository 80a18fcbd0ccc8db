"""How somebody is reached: do-not-disturb, forwards, calls at once, one's own and others'.

A forward goes to an extension of the house alone: one to a private telephone would carry calls
about patients past every other safeguard.
"""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.errors import RuleBroken
from pbx.access.policy import check_future
from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.reach import ForwardView, ReachChange, ReachView, Setting
from storage.ledger.actions import Action
from storage.reach import Change, Reach, When


@get(
    "/v1/people/{who:str}/reach",
    opt=needs(Privilege.EXTENSION_READ, Action.REACH_READ),
    summary="A person's do-not-disturb and forwards",
)
async def show_reach(plane: GivenPlane, caller: GivenCaller, who: FromPath[str]) -> list[ReachView]:
    return await _shown(plane, caller, await resolve.person(plane, who))


@post(
    "/v1/people/{who:str}/reach",
    opt=needs(Privilege.REACH_CHANGE, Action.REACH_CHANGED),
    status_code=200,
    summary="Set do-not-disturb or a forward for a person",
)
async def change_reach(
    plane: GivenPlane, caller: GivenCaller, who: FromPath[str], data: JSONBody[ReachChange]
) -> Changed:
    return await _changed(plane, caller, await resolve.person(plane, who), data)


@get(
    "/v1/own/reach",
    opt=needs(Privilege.OWN_REACH, Action.REACH_READ),
    summary="Your own do-not-disturb and forwards",
)
async def show_own_reach(plane: GivenPlane, caller: GivenCaller) -> list[ReachView]:
    return await _shown(plane, caller, caller.someone)


@post(
    "/v1/own/reach",
    opt=needs(Privilege.OWN_REACH, Action.REACH_CHANGED),
    status_code=200,
    summary="Set your own do-not-disturb or a forward",
)
async def change_own_reach(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[ReachChange]
) -> Changed:
    return await _changed(plane, caller, caller.someone, data)


@post(
    "/v1/own/reach/undoing",
    opt=needs(Privilege.OWN_REACH, Action.REACH_UNDONE),
    status_code=200,
    summary="Undo your own last do-not-disturb, forward or limit",
)
async def undo_own_reach(plane: GivenPlane, caller: GivenCaller) -> Changed:
    await plane.run(plane.reaches.undo_all, caller.deed, caller.someone)
    return Changed(operation=caller.deed.operation)


async def _shown(plane: Plane, caller: Caller, person: UUID) -> list[ReachView]:
    found = await plane.run(plane.reaches.of, caller.deed, person)
    targets = {forward.extension for reach in found.values() for forward in reach.forwards}
    async with plane.database.read() as connection:
        numbers = await plane.extensions.numbers(connection, targets | found.keys())
    return [_view(extension, reach, numbers) for extension, reach in found.items()]


def _view(extension: UUID, reach: Reach, numbers: dict[UUID, str]) -> ReachView:
    return ReachView(
        extension=extension,
        number=numbers[extension],
        do_not_disturb=reach.do_not_disturb,
        undisturbed_until=reach.undisturbed_until,
        forwards=[
            ForwardView(when=f.when, number=numbers[f.extension], until=f.until)
            for f in reach.forwards
        ],
        most_calls=reach.most_calls,
        most_calls_until=reach.most_calls_until,
    )


async def _changed(plane: Plane, caller: Caller, person: UUID, data: ReachChange) -> Changed:
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    is_limit = data.setting is Setting.CALL_WAITING
    is_forward = data.setting is not Setting.DO_NOT_DISTURB and not is_limit
    if (data.most_calls is not None) is not (is_limit and data.is_on):
        raise RuleBroken("a limit that is on needs a number of calls, and nothing else has one")
    if (data.number is not None) is not (is_forward and data.is_on):
        raise RuleBroken("a forward that is on needs a number, and nothing else has one")
    target = None if data.number is None else await _ours(plane, data.number)
    change = Change(
        when=When(data.setting.value) if is_forward else None,
        is_on=data.is_on,
        is_limit=is_limit,
        most_calls=data.most_calls,
        target=target,
        until=data.until,
    )
    await plane.run(plane.reaches.change, caller.deed, person, change)
    return Changed(operation=caller.deed.operation)


async def _ours(plane: Plane, number: str) -> UUID:
    async with plane.database.read() as connection:
        found = await plane.extensions.find(connection, number)
    if found is None:
        raise RuleBroken(
            "this is no extension of ours, and forwards outside are off: there is no outside line"
        )
    return found


ROUTES = [show_reach, change_reach, show_own_reach, change_own_reach, undo_own_reach]
