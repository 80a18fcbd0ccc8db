"""The review queue: what was found or chosen by chance, its evidence, and who has looked."""

from typing import Final
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody

from pbx.access.roles import Privilege, privileges_of
from pbx.admin.audit import CONTENT, recorded, row_view
from pbx.admin.given import GivenCaller, GivenPlane
from pbx.admin.named import Names, names_of
from pbx.admin.plane import Caller
from pbx.admin.rules import needs
from pbx.admin.wire.audit import EvidenceView, ItemView, SignOff
from pbx.admin.wire.fields import Changed
from storage.audit import reviews
from storage.audit.reviews import Item
from storage.details import sealed_detail
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.policies import value_of

DAY: Final = 86_400_000_000


@get(
    "/v1/audit/reviews",
    opt=needs(Privilege.AUDIT_REVIEW, Action.REVIEW_LISTED),
    summary="What waits for somebody to look at it; overdue first",
)
async def list_reviews(
    plane: GivenPlane, caller: GivenCaller, all_items: FromQuery[bool] = False
) -> list[ItemView]:
    async with plane.database.read() as connection:
        days = await value_of(connection, "review-days", caller.deed.at)
        found = [
            one for one in await reviews.items(connection) if all_items or one.signed_at is None
        ]
    await recorded(plane, caller, Action.REVIEW_LISTED, {"count": len(found)})
    names = await names_of(plane)
    return [item_view(one, names, days, caller.deed.at) for one in found]


@get(
    "/v1/audit/reviews/{item:uuid}",
    opt=needs(Privilege.AUDIT_REVIEW, Action.REVIEW_READ),
    summary="One item and the rows it was found in",
)
async def show_review(plane: GivenPlane, caller: GivenCaller, item: FromPath[UUID]) -> EvidenceView:
    async with plane.database.read() as connection:
        days = await value_of(connection, "review-days", caller.deed.at)
        found = await reviews.item(connection, item)
        rows = await reviews.evidence(connection, found)
    seen = [row for row in rows if row.action not in _unseen(caller)]
    after = {"kind": found.kind, "count": len(seen)}
    await recorded(plane, caller, Action.REVIEW_READ, after, Subject("review", item))
    names = await names_of(plane)
    view = item_view(found, names, days, caller.deed.at)
    return EvidenceView(item=view, rows=[row_view(row, names) for row in seen])


@post(
    "/v1/audit/reviews/{item:uuid}/sign-off",
    opt=needs(Privilege.AUDIT_REVIEW, Action.REVIEW_SIGNED_OFF),
    status_code=200,
    summary="Somebody has looked at it, and says what they saw; never about oneself",
)
async def sign_off(
    plane: GivenPlane, caller: GivenCaller, item: FromPath[UUID], data: JSONBody[SignOff]
) -> Changed:
    keys = await plane.keyholder.public_keys("records")
    deed = caller.deed
    detail = sealed_detail(plane.pinned, keys[0], data.note, deed.operation, deed.at)
    await plane.run(reviews.sign_off, deed, item, detail)
    return Changed(operation=deed.operation)


def _unseen(caller: Caller) -> frozenset[Action]:
    sees_content = Privilege.CALL_READ in privileges_of(caller.roles)
    return frozenset() if sees_content else CONTENT


def item_view(one: Item, names: Names, days: int, now: int) -> ItemView:
    due = one.opened_at + days * DAY
    return ItemView(
        id=one.id,
        kind=one.kind,
        opened_at=one.opened_at,
        due_at=due,
        is_overdue=one.signed_at is None and due <= now,
        people=list(one.people),
        logins=[names.login(person) or str(person) for person in one.people],
        facts=one.facts,
        signed_by=one.signed_by,
        signed_by_login=names.login(one.signed_by),
        signed_at=one.signed_at,
    )


ROUTES = [list_reviews, show_review, sign_off]
