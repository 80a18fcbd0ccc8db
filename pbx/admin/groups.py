"""Ring groups: numbers at which several people ring, with history and undo.

A member is a person or an extension of the house; what happens when nobody answers is one too. A
group has no mailbox of its own: a message goes to a shared one, or to somebody's.
"""

from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from pbx.access.policy import check_future
from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.numbering import check_number
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed, Number, Version
from pbx.admin.wire.groups import (
    GroupChange,
    GroupUndoing,
    GroupView,
    MemberView,
    NewGroup,
    NewMember,
    OldMember,
)
from storage import tenures
from storage.conflicts import NotFound, Stale, WrongState
from storage.groups import Group, Member, Settings
from storage.ledger.actions import Action

READ, CHANGE = Privilege.EXTENSION_READ, Privilege.GROUP_CHANGE


@get("/v1/groups", opt=needs(READ, Action.GROUP_LISTED), summary="All ring groups")
async def list_groups(plane: GivenPlane, caller: GivenCaller) -> list[GroupView]:
    found = await plane.run(plane.groups.listed, caller.deed)
    return [await _view(plane, group) for group in found]


@get("/v1/groups/{number:str}", opt=needs(READ, Action.GROUP_READ), summary="One ring group")
async def show_group(plane: GivenPlane, caller: GivenCaller, number: FromPath[Number]) -> GroupView:
    group = await resolve.group(plane, number)
    return await _view(plane, await plane.run(plane.groups.show, caller.deed, group))


@post("/v1/groups", opt=needs(CHANGE, Action.GROUP_ADDED), summary="Make a ring group")
async def add_group(plane: GivenPlane, caller: GivenCaller, data: JSONBody[NewGroup]) -> Changed:
    check_number(data.number)
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    settings = Settings(
        name=data.name,
        strategy=data.strategy,
        ring_seconds=data.ring_seconds,
        mailbox=await _mailbox(plane, data.mailbox),
        onward=await _number(plane, data.onward),
        until=data.until,
    )
    await plane.run(plane.groups.add, caller.deed, data.id, data.number, settings)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/groups/{number:str}/settings",
    opt=needs(CHANGE, Action.GROUP_CHANGED),
    status_code=200,
    summary="Change a ring group; what is left out stays",
)
async def set_group(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[GroupChange]
) -> Changed:
    if isinstance(data.until, int):
        check_future(data.until, caller.deed.at)
    new = {
        name: value
        for name in ("name", "strategy", "ring_seconds", "until")
        if (value := getattr(data, name)) is not UNSET
    }
    if data.mailbox is not UNSET:
        new["mailbox"] = await _mailbox(plane, data.mailbox)
    if data.onward is not UNSET:
        new["onward"] = await _number(plane, data.onward)
    group = await resolve.group(plane, number)
    present = await _present(plane, caller, group)
    return await _changed(plane, caller, data.version, present, **new)


@post(
    "/v1/groups/{number:str}/members",
    opt=needs(CHANGE, Action.GROUP_CHANGED),
    status_code=200,
    summary="Add a member to a ring group, as the last one",
)
async def add_member(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[NewMember]
) -> Changed:
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    present = await _present(plane, caller, await resolve.group(plane, number))
    who = msgspec.structs.replace(
        await _member(plane, data.who), delay=data.delay, until=data.until
    )
    members = (*present.settings.members, who)
    return await _changed(plane, caller, data.version, present, members=members)


@post(
    "/v1/groups/{number:str}/members/removal",
    opt=needs(CHANGE, Action.GROUP_CHANGED),
    status_code=200,
    summary="Remove a member from a ring group",
)
async def remove_member(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[OldMember]
) -> Changed:
    present = await _present(plane, caller, await resolve.group(plane, number))
    who = await _member(plane, data.who)
    left = tuple(
        member
        for member in present.settings.members
        if (member.extension, member.person) != (who.extension, who.person)
    )
    if len(left) == len(present.settings.members):
        raise NotFound("member")
    return await _changed(plane, caller, data.version, present, members=left)


@delete(
    "/v1/groups/{number:str}",
    opt=needs(CHANGE, Action.GROUP_REMOVED),
    status_code=200,
    summary="Remove a ring group; its number is free then",
)
async def remove_group(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], version: Version
) -> Changed:
    group = await resolve.group(plane, number)
    await plane.run(plane.groups.remove, caller.deed, group, version)
    return Changed(operation=caller.deed.operation)


@post(
    "/v1/groups/{number:str}/undoing",
    opt=needs(CHANGE, Action.GROUP_UNDONE),
    status_code=200,
    summary="Undo the last change of a ring group",
)
async def undo_group(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[GroupUndoing]
) -> Changed:
    group = await resolve.extension(plane, number)
    await plane.run(plane.groups.undo, caller.deed, group, data.version)
    return Changed(operation=caller.deed.operation)


async def _present(plane: Plane, caller: Caller, group: UUID) -> Group:
    """What is to be changed; reading it is recorded too."""
    return await plane.run(plane.groups.show, caller.deed, group)


async def _changed(
    plane: Plane, caller: Caller, version: int, present: Group, **new: object
) -> Changed:
    if present.version != version:
        raise Stale("group")
    settings = msgspec.structs.replace(present.settings, **new)
    if settings == present.settings:
        raise WrongState("group", "is set so already")
    await plane.run(plane.groups.change, caller.deed, present.id, version, settings)
    return Changed(operation=caller.deed.operation)


async def _member(plane: Plane, who: str) -> Member:
    """An extension of somebody's or nobody's, or a person."""
    if who.isascii() and who.isdigit():
        return Member(extension=await resolve.extension(plane, who))
    return Member(person=await resolve.person(plane, who))


async def _number(plane: Plane, number: str | None) -> UUID | None:
    return None if number is None else await resolve.extension(plane, number)


async def _mailbox(plane: Plane, label: str | None) -> UUID | None:
    """A shared one, or that of whoever holds an extension now."""
    if label is None:
        return None
    async with plane.database.read() as connection:
        shared = await plane.mailboxes.find(connection, label)
        extension = None if shared else await plane.extensions.find(connection, label)
        if extension is not None:
            held = await tenures.open_on(connection, extension)
            shared = None if held is None else held.mailbox
    if shared is None:
        raise NotFound("mailbox")
    return shared


async def _view(plane: Plane, group: Group) -> GroupView:
    settings = group.settings
    named = {member.extension for member in settings.members if member.extension is not None}
    if settings.onward is not None:
        named.add(settings.onward)
    async with plane.database.read() as connection:
        numbers = await plane.extensions.numbers(connection, named)
    return GroupView(
        id=group.id,
        number=group.number,
        name=settings.name,
        strategy=settings.strategy,
        members=[
            MemberView(
                extension=member.extension,
                person=member.person,
                number=None if member.extension is None else numbers[member.extension],
                delay=member.delay,
                until=member.until,
            )
            for member in settings.members
        ],
        ring_seconds=settings.ring_seconds,
        mailbox=settings.mailbox,
        onward=None if settings.onward is None else numbers[settings.onward],
        until=settings.until,
        version=group.version,
    )


ROUTES = [
    list_groups,
    show_group,
    add_group,
    set_group,
    add_member,
    remove_member,
    remove_group,
    undo_group,
]
