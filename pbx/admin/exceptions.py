"""Exceptions to a rule: owner, reason, expiry; they close themselves."""

from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from pbx.access.errors import RuleBroken
from pbx.access.policy import DAY, check_future
from pbx.access.roles import Privilege
from pbx.admin.enrolling import MD5, Credentials, rekey
from pbx.admin.given import GivenCaller, GivenPlane, GivenTelephony
from pbx.admin.rules import needs
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.phones import Granted
from pbx.admin.wire.rules import ExceptionView, NewException
from storage import exceptions, policies
from storage.exceptions import ExceptionKind, RuleException
from storage.ledger.actions import Action
from storage.ledger.unit import Unit

SUBJECTS = {ExceptionKind.MD5_DEVICE: "device", ExceptionKind.LONGER_IDLE: "person"}


@get(
    "/v1/exceptions",
    opt=needs(Privilege.EXCEPTION_READ, Action.EXCEPTION_LISTED),
    summary="Exceptions in force, soonest end first",
)
async def list_exceptions(
    plane: GivenPlane, caller: GivenCaller, closed: FromQuery[bool] = False
) -> list[ExceptionView]:
    found = await plane.run(plane.exceptions.listed, caller.deed, closed=closed)
    return [_view(exception) for exception in found]


@post(
    "/v1/exceptions",
    opt=needs(Privilege.EXCEPTION_GRANT, Action.EXCEPTION_GRANTED),
    summary="Relax a rule for one person or phone, for a time",
)
async def grant_exception(
    plane: GivenPlane,
    caller: GivenCaller,
    telephony: GivenTelephony,
    data: JSONBody[NewException],
) -> Granted:
    check_future(data.expires_at, caller.deed.at)
    if data.subject == caller.someone:
        raise RuleBroken("nobody grants an exception to themselves")
    async with plane.database.read() as connection:
        days = await policies.value_of(connection, "exception-days", caller.deed.at)
        await exceptions.check_new(
            connection, data.id, SUBJECTS[data.kind], data.subject, data.owner
        )
    if data.expires_at - caller.deed.at > days * DAY:
        raise RuleBroken(f"an exception lasts at most {days} days")
    new = exceptions.NewException(
        id=data.id,
        kind=data.kind,
        subject_kind=SUBJECTS[data.kind],
        subject=data.subject,
        owner=data.owner,
        reason=data.reason,
        expires_at=data.expires_at,
    )

    async def work(unit: Unit) -> Credentials | None:
        await plane.exceptions.grant(unit, caller.deed, new)
        if new.kind is not ExceptionKind.MD5_DEVICE:
            return None
        phones, realm = telephony.phones, telephony.domain
        return await rekey(phones, unit, caller.deed, new.subject, realm, MD5)

    secret, operation = await plane.committer.run(work), caller.deed.operation
    return Granted(
        operation=operation, phone=None if secret is None else telephony.told(operation, secret)
    )


@post(
    "/v1/exceptions/{exception:uuid}/closing",
    opt=needs(Privilege.EXCEPTION_CLOSE, Action.EXCEPTION_CLOSED),
    status_code=200,
    summary="End an exception early",
)
async def close_exception(
    plane: GivenPlane,
    caller: GivenCaller,
    exception: FromPath[UUID],
) -> Changed:
    await plane.run(plane.exceptions.close, caller.deed, exception, "asked")
    return Changed(operation=caller.deed.operation)


def _view(exception: RuleException) -> ExceptionView:
    facts = exception.facts
    return ExceptionView(
        id=facts.id,
        kind=facts.kind,
        subject=facts.subject,
        owner=facts.owner,
        reason=exception.reason,
        granted_at=facts.granted_at,
        expires_at=facts.expires_at,
        closed_at=facts.closed_at,
    )


ROUTES = [list_exceptions, grant_exception, close_exception]
