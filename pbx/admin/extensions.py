"""Extensions: whose number it is, for how long, and undoing the last change of it.

A new holder begins an empty epoch: new tenure, new mailbox, new keys. The former epoch closes at
the key holder too, unless it is only interrupted by a temporary holder.
"""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, JSONBody

from pbx.access.errors import RuleBroken
from pbx.access.policy import check_future
from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.performed import performed
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.undoing import preview, undo
from pbx.admin.wire.fields import Changed, Number, Performed
from pbx.admin.wire.phones import (
    Assignment,
    ExtensionView,
    TenureView,
    Undoing,
    UndoView,
    Versioned,
)
from pbx.dialplan.emergency import is_reserved
from storage import extensions, tenures
from storage.conflicts import NotFound, Stale
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
    return [_view(found) for found in await plane.run(plane.extensions.listed, caller.deed)]


@get("/v1/extensions/{number:str}", opt=READ, summary="One extension and its holder")
async def show_extension(
    plane: GivenPlane,
    caller: GivenCaller,
    number: FromPath[Number],
) -> ExtensionView:
    extension = await resolve.extension(plane, number)
    return _view(await plane.run(plane.extensions.show, caller.deed, extension))


@post(
    "/v1/extensions/{number:str}/assignment",
    opt=needs(Privilege.EXTENSION_CHANGE, Action.EXTENSION_ASSIGNED),
    status_code=200,
    summary="Give a number to a person: a new, empty epoch",
)
async def assign_extension(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[Assignment]
) -> Performed:
    if is_reserved(number):
        raise RuleBroken("this number is kept for emergency calls")
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    extension, present = await _prepared(plane, caller, number, data)
    act = acts.OpenTenure(
        mailbox=data.mailbox, tenure=data.tenure, owner=data.person, until=data.until
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
        await plane.close_mailbox(data.mailbox, caller.deed.operation)
        raise
    if present is not None and interrupted is None:
        await plane.close_mailbox(present.mailbox, caller.deed.operation)
    return performed(caller, answer)


@post(
    "/v1/extensions/{number:str}/release",
    opt=needs(Privilege.EXTENSION_CHANGE, Action.EXTENSION_RELEASED),
    status_code=200,
    summary="Take a number from its holder; nobody has it then",
)
async def release_extension(
    plane: GivenPlane, caller: GivenCaller, number: FromPath[Number], data: JSONBody[Versioned]
) -> Changed:
    extension = await resolve.extension(plane, number)
    ended = await plane.run(plane.extensions.release, caller.deed, extension, data.version)
    await plane.close_mailbox(ended.mailbox, caller.deed.operation)
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
) -> tuple[UUID, Tenure | None]:
    """Everything that can be refused is, before the key holder makes a mailbox."""
    async with plane.database.read() as connection:
        known = await plane.extensions.find(connection, number)
        await plane.extensions.check_assignable(connection, data.person, data.tenure, data.mailbox)
        if known is None:
            if data.version != 0:
                raise NotFound("extension")
            return new_id(plane.clock), None
        if await extensions.version_of(connection, known) != data.version:
            raise Stale("extension")
        return known, await tenures.open_on(connection, known)


def _view(extension: Extension) -> ExtensionView:
    tenure = extension.tenure
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
        ),
    )


ROUTES = [
    list_extensions,
    show_extension,
    assign_extension,
    release_extension,
    preview_undo,
    undo_extension,
]
