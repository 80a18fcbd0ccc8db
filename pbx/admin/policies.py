"""Policy values: few, named, bounded; a change wants the second factor again."""

import msgspec
from litestar import get, put
from litestar.params import FromPath, JSONBody

from pbx.access.policy import check_future
from pbx.access.roles import Privilege
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.rules import PolicyChange, PolicyView
from storage import policies
from storage.identifiers import new_id
from storage.keyholder import acts
from storage.ledger.actions import Action


@get("/v1/policies", opt=needs(Privilege.POLICY_READ, Action.POLICY_LISTED), summary="All values")
async def list_policies(plane: GivenPlane, caller: GivenCaller) -> list[PolicyView]:
    return [
        PolicyView(
            name=found.policy.name,
            meaning=found.policy.meaning,
            value=found.value,
            default=found.policy.default,
            least=found.policy.least,
            most=found.policy.most,
            until=found.until,
            version=found.version,
        )
        for found in await plane.run(policies.all_values, caller.deed)
    ]


@put(
    "/v1/policies/{name:str}",
    opt=needs(Privilege.POLICY_CHANGE, Action.POLICY_CHANGED),
    summary="Change a value, for good or until a moment",
)
async def change_policy(
    plane: GivenPlane, caller: GivenCaller, name: FromPath[str], data: JSONBody[PolicyChange]
) -> Changed:
    if data.until is not None:
        check_future(data.until, caller.deed.at)
    async with plane.database.read() as connection:
        await policies.check(connection, name, data.version, data.value)
    act = step_up(name, data.version, data.value, data.until)
    await plane.perform(caller, act, data.proof, action=Action.POLICY_CHANGED)
    new = new_id(plane.clock)
    await plane.run(
        policies.set_value, caller.deed, name, data.version, data.value, data.until, new
    )
    return Changed(operation=caller.deed.operation)


def step_up(name: str, version: int, value: int, until: int | None) -> acts.StepUp:
    """The act whose proof shows that the person is present for exactly this change."""
    change = msgspec.msgpack.encode((name, version, value, until))
    return acts.StepUp(action=Action.POLICY_CHANGED, object=change)


ROUTES = [list_policies, change_policy]
