"""Calls between lean phones, and what they say when somebody is put through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import select

from pbx.sip.message import Request, Response
from storage.models.ledger import ledger
from tests.support.exchange import DOMAIN, TestExchange
from tests.support.phone import Phone
from tests.support.phone_call import Call, Incoming, Outgoing
from tests.support.rtp_phone import RtpPhone


def replaced(call: Call) -> str:
    """A dialog as its Replaces names it to the exchange."""
    ours, theirs = (text.partition(";tag=")[2] for text in (call._local, call._remote))
    return f"{call.call_id};to-tag={theirs};from-tag={ours}"


async def refer(call: Call, to: str, **fields: str) -> Response:
    request = call.message("REFER")
    request.headers.add("Refer-To", to)
    request.headers.add("Contact", call.phone.contact)
    for name, value in fields.items():
        request.headers.add(name.replace("_", "-"), value)
    return await call.ask(request)


def attended(dialog: str) -> str:
    return f"<sip:1003@{DOMAIN}?Replaces={quote(dialog, safe='')}>"


async def news(call: Call, seconds: float = 60.0) -> str:
    """The next NOTIFY, answered; what it says."""
    while True:
        request = await asyncio.wait_for(call.requests.get(), seconds)
        call.answer_in_dialog(request, 200)
        if request.method == "NOTIFY":
            assert request.headers.first("Event") == "refer"
            assert request.content_type == "message/sipfrag"
            state = request.headers.first("Subscription-State") or ""
            final = not request.body.startswith(b"SIP/2.0 1")
            assert state.startswith("terminated" if final else "active")
            return request.body.decode().split()[1]


async def change(call: Call, method: str = "INVITE") -> Request:
    """The next re-INVITE or UPDATE, still unanswered."""
    while True:
        request = await asyncio.wait_for(call.requests.get(), 60)
        if request.method == method:
            return request
        call.answer_in_dialog(request, 200)


@asynccontextmanager
async def call_between(
    caller: Phone, number: str, callee: Phone
) -> AsyncIterator[tuple[Outgoing, Incoming, RtpPhone, RtpPhone]]:
    ours, theirs = RtpPhone(), RtpPhone()
    outgoing = caller.invite(number, ours.sdp())
    async with asyncio.timeout(60):
        incoming = await callee.incoming.get()
        theirs.read(incoming.invite.body)
        incoming.answer(theirs.sdp())
        ours.read((await outgoing.answered()).body)
        await incoming.confirmed.wait()
    try:
        yield outgoing, incoming, ours, theirs
    finally:
        ours.close()
        theirs.close()


async def hear_each_other(one: RtpPhone, other: RtpPhone) -> None:
    for speaker, listener, octet in ((one, other, b"\x31"), (other, one, b"\x32")):
        async with asyncio.timeout(60):
            while not any(heard.payload == octet * 160 for heard in listener.heard):
                speaker.send(octet * 160)
                await asyncio.to_thread(listener.listen, 0.05)


async def transfers(exchange: TestExchange) -> list[dict[str, Any]]:
    """What the ledger's row of the call says of them: no number."""
    async with exchange.database.read() as connection:
        query = select(ledger.c.after).where(ledger.c.action == "call.ended")
        rows = [json.loads(after) for after in (await connection.scalars(query)).all()]
    assert all(
        set(one) == {"kind", "device", "status"} for row in rows for one in row.get("transfers", ())
    )
    return [one for row in rows for one in row.get("transfers", ())]
