"""A refusal leaves a row: whoever was told no to something privileged is in the ledger.

Runs around every route and looks at the answer about to leave. The row is noted, not asked for:
it cannot be refused itself (it goes to the spool while the ledger cannot be written).
"""

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pbx.admin.plane import Plane
from pbx.admin.rules import caller_of, rule_of
from storage.ledger.actions import Outcome

REFUSALS = frozenset({401, 403, 404, 409, 503})


def refusals_leave_rows(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in REFUSALS:
                await _note(scope, message["status"])
            await send(message)

        await app(scope, receive, sending)

    return middleware


async def _note(scope: Scope, status: int) -> None:
    handler = scope.get("route_handler")
    caller = caller_of(scope["state"])
    rule = rule_of(handler) if handler is not None else None
    if caller is None or rule is None or rule.action is None or caller.is_refusal_recorded:
        return
    if status == 401 and caller.person is None and not _claims_a_session(scope):
        return  # nobody claimed to be anybody: a counter's matter, not the ledger's
    plane: Plane = scope["app"].state.context.plane
    outcome = Outcome.FAILED if status == 503 else Outcome.REFUSED
    await plane.note_refusal(caller, rule.action, None, outcome)


def _claims_a_session(scope: Scope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])
