"""Signed copies of the ledger, for whoever has to verify them elsewhere.

The export begins with a second factor, becomes a row, and has the key holder sign beyond that row
before the first line leaves. Sealed words stay sealed in it.
"""

from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from pbx.access.errors import Denied
from pbx.access.roles import Privilege
from pbx.admin.audit import recorded
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import needs
from pbx.admin.wire.audit import ExportPage, ExportView, NewExport
from storage.audit import export as exports
from storage.audit.export import Export
from storage.conflicts import NotFound
from storage.keyholder import acts
from storage.keyholder.client import KeyHolderUnavailable
from storage.ledger.actions import Action
from storage.ledger.entry import Subject


@post(
    "/v1/audit/exports",
    opt=needs(Privilege.AUDIT_EXPORT, Action.AUDIT_EXPORTED),
    summary="Begin a signed export of the ledger",
)
async def begin_export(
    plane: GivenPlane, caller: GivenCaller, data: JSONBody[NewExport]
) -> ExportView:
    await plane.perform(caller, step_up(data.since), data.proof, action=Action.AUDIT_EXPORTED)

    async with plane.database.read() as connection:
        chains = await exports.chains_of(connection, plane.committer.writer, data.since)
    after = {"since": data.since, "chains": msgspec.to_builtins(chains)}
    await recorded(plane, caller, Action.AUDIT_EXPORTED, after)
    if plane.sign_heads is not None:
        await plane.sign_heads()
    found = await _begun(plane, caller, caller.deed.operation)
    rows = sum(last - first + 1 for _, first, last in found.spans())
    return ExportView(operation=found.operation, rows=rows)


@get(
    "/v1/audit/exports/{export:uuid}/lines",
    opt=needs(Privilege.AUDIT_EXPORT, Action.AUDIT_EXPORT_READ),
    summary="Lines of one's own export",
)
async def read_export(
    plane: GivenPlane, caller: GivenCaller, export: FromPath[UUID], at: FromQuery[int] = 0
) -> ExportPage:
    found = await _begun(plane, caller, export)
    async with plane.database.read() as connection:
        lines, following = await exports.lines(connection, found, max(at, 0))
    after = {"export": str(export), "at": at, "lines": len(lines)}
    await recorded(plane, caller, Action.AUDIT_EXPORT_READ, after, Subject("export", export))
    return ExportPage(lines=lines, next=following)


async def _begun(plane: Plane, caller: Caller, operation: UUID) -> Export:
    async with plane.database.read() as connection:
        found = await exports.find(connection, operation)
    if found is None:
        raise NotFound("export")
    if found.person != caller.someone:
        raise Denied("somebody else began this export: begin one of your own")
    if found.head is None:
        raise KeyHolderUnavailable("the key holder has not signed the ledger's end")
    return found


def step_up(since: int) -> acts.StepUp:
    """The act whose proof shows that the person is present for this export."""
    return acts.StepUp(action=Action.AUDIT_EXPORTED, object=msgspec.msgpack.encode(since))


ROUTES = [begin_export, read_export]
