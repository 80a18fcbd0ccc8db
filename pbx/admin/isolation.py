"""The proof that an extension's former holder and its present one are kept apart."""

from litestar import Request, post
from litestar.datastructures import State
from litestar.params import FromPath

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.rules import declared, needs
from pbx.admin.wire.fields import Number
from pbx.admin.wire.isolation import Proof
from pbx.isolation.prove import prove
from storage.extensions import version_of
from storage.ledger.actions import Action


@post(
    "/v1/extensions/{number:str}/isolation",
    opt=needs(Privilege.EXTENSION_PROVE, Action.ISOLATION_PROVED),
    status_code=200,
    summary="Try every path between a number's former holder and its present one",
)
async def prove_isolation(
    plane: GivenPlane, caller: GivenCaller, telephony: GivenTelephony,
    request: Request[None, None, State], number: FromPath[Number],
) -> Proof:  # fmt: skip
    extension = await resolve.extension(plane, number)
    async with plane.database.read() as connection:
        await version_of(connection, extension)  # it exists
    found = await prove(plane, telephony, caller.deed, extension, declared(request.app))
    return Proof(operation=caller.deed.operation, extension=extension, findings=tuple(found))


ROUTES = [prove_isolation]
