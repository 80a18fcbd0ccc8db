"""After every change the phones' side hears of it, before whoever asked is told that it is done.

One mechanism around every route: what adds a phone, moves a number or ends a person's access need
not remember it, and a phone that was just added can log in at once.
"""

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pbx.admin.rules import rule_of


def changes_reach_phones(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_change(scope, message["status"]):
                await scope["app"].state.context.telephony.refresh()
            await send(message)

        await app(scope, receive, sending)

    return middleware


def _is_change(scope: Scope, status: int) -> bool:
    if scope.get("method", "GET") == "GET" or status >= 300:
        return False
    handler = scope.get("route_handler")
    rule = rule_of(handler) if handler is not None else None
    has_phones = scope["app"].state.context.telephony is not None
    return has_phones and rule is not None and rule.action is not None
