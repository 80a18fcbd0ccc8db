"""The planned restart of the exchange: ordered, watched, called off."""

from litestar import delete, get, post
from litestar.datastructures import State
from litestar.params import JSONBody

from pbx.access.roles import Privilege
from pbx.admin.context import AdminContext
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.rules import needs, public
from pbx.admin.wire.restarts import RestartOrder, RestartView
from storage.ledger.actions import Action
from storage.ledger.unit import Unit


@get("/v1/restart", opt=public(), summary="How a restart goes; counts alone")
async def show_restart(state: State) -> RestartView:
    return _view(state.context)


@post(
    "/v1/restart",
    opt=needs(Privilege.SYSTEM_RESTART, Action.SYSTEM_RESTARTED),
    status_code=200,
    summary="Let the exchange give way to a new one; no call is lost",
)
async def begin_restart(
    state: State, plane: GivenPlane, caller: GivenCaller, data: JSONBody[RestartOrder]
) -> RestartView:
    async def work(unit: Unit) -> None:
        after = {"drain": data.drain, "seconds": data.seconds}
        unit.record(caller.deed.entry(Action.SYSTEM_RESTARTED, after=after))

    await plane.committer.run(work)
    context: AdminContext = state.context
    context.restart.begin(data.seconds, drain=data.drain)
    return _view(context)


@delete(
    "/v1/restart",
    opt=needs(Privilege.SYSTEM_RESTART, Action.SYSTEM_RESTARTED),
    status_code=200,
    summary="Call a restart off; one that does not wait for calls stays as it is",
)
async def call_off_restart(state: State, plane: GivenPlane, caller: GivenCaller) -> RestartView:
    context: AdminContext = state.context

    async def work(unit: Unit) -> None:
        unit.record(caller.deed.entry(Action.SYSTEM_RESTARTED, after={"called_off": True}))

    await plane.committer.run(work)
    context.restart.call_off()
    return _view(context)


def _view(context: AdminContext) -> RestartView:
    restart, telephony = context.restart, context.telephony
    return RestartView(
        run=restart.run,
        state=restart.state,
        is_draining=restart.is_draining,
        calls=len(telephony.calls) if telephony else 0,
        awaited=restart.awaited,
        seconds_left=restart.seconds_left,
        taken_back=telephony.returned.count if telephony else 0,
    )


ROUTES = [show_restart, begin_restart, call_off_restart]
