"""Extensions: whose number it is, for how long, and undoing the last change of it.

A new holder begins an empty epoch: new tenure, new mailbox, new keys. The former epoch closes at
the key holder too, unless it is only interrupted by a temporary holder.
"""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.policy import check_future
from pbx.access.roles import Privilege
from pbx.admin import epochs, resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.numbering import check_number
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.undoing import last_of, preview, undo
from pbx.admin.wire.fields import Changed, Number, Performed
from pbx.admin.wire.groups import LastChange
from pbx.admin.wire.phones import (
    Assignment,
    ExtensionView,
    Releasing,
    TenureView,
    Undoing,
    UndoView,
)
from storage import extensions, tenures
from storage.conflicts import NotFound, Stale, WrongState
from storage.extensions import Extension
from storage.identifiers import new_id
from storage.keyholder import acts
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.tenures import NewTenure, Tenure

READ = needs(Privilege.EXTENSION_READ, Action.EXTENSION_READ)


@get(
    "/v1/extensions",
    opt=needs(Privilege.EXTENSION_READ, Action.EXTENSION_LISTED),
    summary="All extensions",
)
async def list_extensions(plane: GivenPlane, caller: GivenCaller) -> list[ExtensionView]:
    found = await plane.run(plane.extensions.listed, caller.deed)
    return [await _view(plane, extension) for extension in found]


@get("/v1/extensions/{number:str}", opt=READ, summary="One extension and its holder")
async def show_extension(
    plane: GivenPlane,
    caller: GivenCaller,
    number: FromPath[Number],
) -> ExtensionView:
    extension = await resolve.extension(plane, number)
    return await _view(plane, await plane.run(plane.extensions.show, caller.deed, extension))


@post(
    "/v1/extensions/{number:str}/assignment",
    opt=needs(Privilege.EXTENSION_CHANGE, Action.EXTENSION_ASSIGNED),
    status_code=200,
    summary="Give a number to a person: a new, empty epoch",
)
async def assign_extension(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[Assignment]
) -> Performed:
    check_number(number)
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    extension, present, closes = await _prepared(plane, caller, number, data)
    act = acts.OpenTenure(
        mailbox=data.mailbox,
        tenure=data.tenure,
        owner=data.person,
        until=data.until,
        closes=() if data.until is not None else closes,
    )
    answer = await plane.perform(
        caller,
        act,
        data.proof,
        action=Action.EXTENSION_ASSIGNED,
        subject=Subject("extension", extension),
    )
    interrupted = present if data.until is not None else None
    new = NewTenure(
        id=data.tenure,
        extension=extension,
        person=data.person,
        mailbox=data.mailbox,
        until=data.until,
        follows=None if interrupted is None else interrupted.id,
    )

    async def work(unit: Unit) -> None:
        version = data.version
        if version == 0:
            await plane.extensions.add(unit, caller.deed, extension, number)
            version = 1
        await plane.extensions.assign(unit, caller.deed, new, version)

    try:
        await plane.committer.run(work)
    except BaseException:
        # The mailbox that was opened for it belongs to no tenure: it closes again.
        await plane.abandon_mailbox(data.mailbox, caller.deed.operation)
        raise
    return performed(caller, answer)


@post(
    "/v1/extensions/{number:str}/release",
    opt=needs(Privilege.EXTENSION_CHANGE, Action.EXTENSION_RELEASED),
    status_code=200,
    summary="Take a number from its holder; nobody has it then",
)
async def release_extension(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[Releasing]
) -> Performed:
    extension = await resolve.extension(plane, number)
    async with plane.database.read() as connection:
        if await extensions.version_of(connection, extension) != data.version:
            raise Stale("extension")
        closes = await epochs.closing(connection, await tenures.open_on(connection, extension))
    if not closes:
        raise WrongState("extension", "belongs to nobody")
    answer = await plane.perform(
        caller,
        acts.CloseTenure(mailbox=closes[0], closes=closes[1:]),
        data.proof,
        action=Action.EXTENSION_RELEASED,
        subject=Subject("extension", extension),
    )
    await plane.run(plane.extensions.release, caller.deed, extension, data.version)
    return performed(caller, answer)


@get(
    "/v1/extensions/{number:str}/last-change",
    opt=READ,
    summary="What an undo of this number would be about",
)
async def last_change(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number]
) -> LastChange:
    return await last_of(plane, caller, await resolve.extension(plane, number))


@post(
    "/v1/extensions/{number:str}/reach/undoing",
    opt=needs(Privilege.REACH_CHANGE, Action.REACH_UNDONE),
    status_code=200,
    summary="Undo the last do-not-disturb, forward or limit of whoever holds the number",
)
async def undo_reach(plane: GivenPlane, caller: GivenCaller, number: FromPath[Number]) -> Changed:
    extension = await resolve.extension(plane, number)
    await plane.run(plane.reaches.undo, caller.deed, extension)
    return Changed(operation=caller.deed.operation)


@get(
    "/v1/extensions/{number:str}/undoing",
    opt=needs(Privilege.EXTENSION_CHANGE, Action.EXTENSION_READ),
    summary="What an undo would do",
)
async def preview_undo(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number]
) -> UndoView:
    return await preview(plane, caller, await resolve.extension(plane, number))


@post(
    "/v1/extensions/{number:str}/undoing",
    opt=needs(Privilege.EXTENSION_CHANGE, Action.EXTENSION_UNDONE),
    status_code=200,
    summary="Undo the last assignment or release of a number",
)
async def undo_extension(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[Undoing]
) -> Performed:
    extension = await resolve.extension(plane, number)
    return await undo(plane, caller, extension, data)


async def _prepared(
    plane: Plane, caller: Caller, number: str, data: Assignment
) -> tuple[UUID, Tenure | None, tuple[UUID, ...]]:
    """Everything that can be refused is, before the key holder makes a mailbox."""
    async with plane.database.read() as connection:
        known = await plane.extensions.find(connection, number)
        await plane.extensions.check_assignable(connection, data.person, data.tenure, data.mailbox)
        if known is None:
            if data.version != 0:
                raise NotFound("extension")
            return new_id(plane.clock), None, ()
        await extensions.check_no_group(connection, known)
        if await extensions.version_of(connection, known) != data.version:
            raise Stale("extension")
        present = await tenures.open_on(connection, known)
        if present is not None and present.person == data.person and data.until is None:
            raise WrongState("extension", "belongs to this person already")
        return known, present, await epochs.closing(connection, present)


async def _view(plane: Plane, extension: Extension) -> ExtensionView:
    tenure = extension.tenure
    async with plane.database.read() as connection:
        closes = await epochs.closing(connection, tenure)
    return ExtensionView(
        id=extension.id,
        number=extension.number,
        version=extension.version,
        tenure=None
        if tenure is None
        else TenureView(
            id=tenure.id,
            person=tenure.person,
            mailbox=tenure.mailbox,
            started_at=tenure.started_at,
            until=tenure.until,
            closes=closes,
        ),
    )


ROUTES = [
    list_extensions,
    show_extension,
    assign_extension,
    release_extension,
    last_change,
    undo_reach,
    preview_undo,
    undo_extension,
]
