"""What happened to one object, from the ledger."""

from uuid import UUID

from litestar import get
from litestar.params import FromPath

from pbx.access.roles import Privilege
from pbx.admin import resolve
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.plane import Plane
from pbx.admin.rules import needs
from pbx.admin.wire.rules import ChangeView
from storage import history
from storage.conflicts import NotFound
from storage.ledger.actions import Action
from storage.ledger.entry import Subject

KINDS = frozenset(
    (
        "person", "organisation", "site", "extension", "group", "mailbox", "device", "role_grant",
        "session", "exception", "policy_value",
    )
)  # fmt: skip


@get(
    "/v1/history/{kind:str}/{what:str}",
    opt=needs(Privilege.HISTORY_READ, Action.HISTORY_READ),
    summary="Every recorded change of one object, before and after",
)
async def show_history(
    plane: GivenPlane, caller: GivenCaller, kind: FromPath[str], what: FromPath[str]
) -> list[ChangeView]:
    subject = Subject(_known(kind), await _identifier(plane, kind, what))
    return [
        ChangeView(
            operation=change.operation,
            occurred_at=change.occurred_at,
            action=change.action,
            outcome=change.outcome,
            actor_kind=change.actor_kind,
            actor=change.actor,
            before=change.before,
            after=change.after,
        )
        for change in await plane.run(history.of, caller.deed, subject)
    ]


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise NotFound("kind of object")
    return kind


async def _identifier(plane: Plane, kind: str, what: str) -> UUID:
    finders = {
        "person": resolve.person,
        "extension": resolve.extension,
        "group": resolve.group,
        "device": resolve.device,
        "site": resolve.site,
        "mailbox": resolve.mailbox,
    }
    if kind in finders:
        return await finders[kind](plane, what)
    identifier = resolve.identifier(what)
    if identifier is None:
        raise NotFound(kind.replace("_", " "))
    return identifier


ROUTES = [show_history]
