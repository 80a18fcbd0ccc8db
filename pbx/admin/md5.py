"""The exception that lets one phone log in with MD5: owner, reason, expiry, and a new secret."""

from uuid import UUID

from pbx.access.errors import Denied, RuleBroken
from pbx.access.policy import DAY, check_future
from pbx.access.roles import Privilege, is_allowed
from pbx.admin.plane import Caller, Plane
from pbx.admin.wire.phones import Md5Exception
from storage import policies
from storage.conflicts import WrongState
from storage.exceptions import ExceptionKind, NewException
from storage.people import PersonState, facts_of


async def check_exception(plane: Plane, caller: Caller, md5: Md5Exception) -> None:
    """Everything that can be refused is, before the phone exists."""
    if not is_allowed(caller.roles, Privilege.EXCEPTION_GRANT):
        raise Denied("none of your roles grants exceptions: pbx role matrix")
    check_future(md5.expires_at, caller.deed.at)
    async with plane.database.read() as connection:
        days = await policies.value_of(connection, "exception-days", caller.deed.at)
        if (await facts_of(connection, md5.owner)).state is not PersonState.ACTIVE:
            raise WrongState("owner", "is not active")
    if md5.expires_at - caller.deed.at > days * DAY:
        raise RuleBroken(f"an exception lasts at most {days} days")


def new_exception(md5: Md5Exception, device: UUID) -> NewException:
    return NewException(
        id=md5.id,
        kind=ExceptionKind.MD5_DEVICE,
        subject_kind="device",
        subject=device,
        owner=md5.owner,
        reason=md5.reason,
        expires_at=md5.expires_at,
    )
