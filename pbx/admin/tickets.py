"""Why a change was made: a ticket's text that came with it is a row of the same operation.

The text may speak of people, so it is sealed to the readers of records. A change without a ticket
is made all the same, and found by the review of the ledger.
"""

import base64
import binascii
from typing import Final

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pbx.admin.models import TICKET
from pbx.admin.plane import Caller, Plane
from pbx.admin.rules import caller_of
from storage.details import sealed_detail
from storage.keyholder.client import KeyHolderError
from storage.keyholder.signing import BadKey
from storage.ledger.actions import Action

MOST: Final = 500

log = structlog.get_logger()


def tickets_leave_rows(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 300:
                await _note(scope)
            await send(message)

        await app(scope, receive, sending)

    return middleware


async def _note(scope: Scope) -> None:
    text = _ticket(scope)
    caller = caller_of(dict(scope["state"]))
    if text and caller is not None and caller.person is not None:
        await _record(scope["app"].state.context.plane, caller, text)


async def _record(plane: Plane, caller: Caller, text: str) -> None:
    deed = caller.deed
    try:
        keys = await plane.keyholder.public_keys("records")
        detail = sealed_detail(plane.pinned, keys[0], text, deed.operation, deed.at)
    except (BadKey, KeyHolderError, IndexError):
        log.warning("a ticket's text could not be sealed and was not kept")
        detail = None
    await plane.committer.note(deed.entry(Action.TICKET_NAMED, detail=detail))


def _ticket(scope: Scope) -> str:
    if scope.get("method", "GET") == "GET":
        return ""
    for name, value in scope["headers"]:
        if name == TICKET.encode():
            try:
                return base64.b64decode(value, validate=True).decode()[:MOST]
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""
