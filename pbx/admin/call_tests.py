"""The test call: two phones that exist for two minutes and for nothing else.

They log in through the real listener, call through the real call control and are in no database;
their records and ledger rows are like any other call's.
"""

from uuid import UUID

from litestar import delete, get, post
from litestar.params import FromPath

from pbx.access.roles import Privilege
from pbx.admin.calls import view
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.rules import needs
from pbx.admin.wire.calls import CallView, TrialLine
from pbx.admin.wire.fields import Changed
from storage import calls
from storage.conflicts import NotFound
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit


@post(
    "/v1/call-tests",
    opt=needs(Privilege.CALL_TEST, Action.CALL_TESTED),
    summary="Two phones for a test call, for two minutes",
)
async def begin_test(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony
) -> TrialLine:
    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.CALL_TESTED))

    await plane.committer.run(work)
    line = telephony.test_lines.open()
    operation = caller.deed.operation
    return TrialLine(
        id=line.caller.device,
        caller=telephony.told(operation, line.caller),
        callee=telephony.told(operation, line.callee),
        number=line.number,
        until=line.until,
    )


@get(
    "/v1/call-tests/{test:uuid}",
    opt=needs(Privilege.CALL_TEST, Action.CALL_READ),
    summary="The records of a test's calls",
)
async def show_test(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, test: FromPath[UUID]
) -> list[CallView]:
    if test not in telephony.test_lines:
        raise NotFound("test")

    async def work(unit: Unit) -> list[CallView]:
        found = await calls.of_caller(unit.connection, test)
        unit.record(caller.deed.entry(Action.CALL_READ, Subject("device", test)))
        return [view(sealed.opened(None), {}) for sealed in found]

    return await plane.committer.run(work)


@delete(
    "/v1/call-tests/{test:uuid}",
    opt=needs(Privilege.CALL_TEST, Action.CALL_TESTED),
    status_code=200,
    summary="End a test: its phones exist no more",
)
async def end_test(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony, test: FromPath[UUID]
) -> Changed:
    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.CALL_TESTED, Subject("device", test)))

    await plane.committer.run(work)
    telephony.test_lines.close(test)
    return Changed(operation=caller.deed.operation)


ROUTES = [begin_test, show_test, end_test]
