"""Four lean phones at an exchange: Alice calls, Bob, Carol and Dora are rung and help out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from storage.calls import CallRecord
from tests.support.exchange import TestExchange
from tests.support.phone import Phone
from tests.support.phone_call import CallFailed, Incoming, Outgoing
from tests.support.rtp_phone import RtpPhone

SOON = 60.0


@dataclass(eq=False)
class Placed:
    """A call that one of them has made."""

    call: Outgoing
    media: RtpPhone
    task: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self.task = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        self.media.read((await self.call.answered(90)).body)

    async def answered(self) -> RtpPhone:
        await asyncio.wait_for(asyncio.shield(self.task), SOON)
        return self.media

    async def refused(self) -> int:
        """The status that it failed with."""
        with pytest.raises(CallFailed) as failed:
            await asyncio.wait_for(asyncio.shield(self.task), 60)
        return failed.value.response.status

    async def rings(self) -> None:
        await asyncio.wait_for(self.call.ringing.wait(), SOON)

    async def over(self) -> None:
        await asyncio.wait_for(self.call.ended.wait(), SOON)


@dataclass(eq=False)
class FrontDesk:
    """Everybody with a phone."""

    exchange: TestExchange
    alice: Phone
    bob: Phone
    carol: Phone
    dora: Phone
    _media: list[RtpPhone] = field(default_factory=list)

    def call(self, phone: Phone, number: str, *, without_keys: bool = False) -> Placed:
        media = self._speaker()
        offer = media.sdp()
        if without_keys:
            lines = offer.replace(b"RTP/SAVP", b"RTP/AVP").splitlines(keepends=True)
            offer = b"".join(line for line in lines if not line.startswith(b"a=crypto"))
        return Placed(phone.invite(number, offer), media)

    async def rung(self, phone: Phone) -> Incoming:
        """The call that rings there."""
        incoming = await asyncio.wait_for(phone.incoming.get(), SOON)
        incoming.ring()
        return incoming

    async def answer(self, incoming: Incoming) -> RtpPhone:
        media = self._speaker()
        media.read(incoming.invite.body)
        incoming.answer(media.sdp())
        await asyncio.wait_for(incoming.confirmed.wait(), SOON)
        return media

    async def cancelled(self, incoming: Incoming) -> str | None:
        """Why it rings no longer."""
        await asyncio.wait_for(incoming.cancelled.wait(), SOON)
        assert incoming.cancel is not None
        return incoming.cancel.headers.first("Reason")

    def is_quiet(self, *phones: Phone) -> bool:
        return all(phone.incoming.empty() for phone in phones)

    async def records(self, count: int = 1) -> list[CallRecord]:
        """When everything is over, and nothing is left of it."""
        found = await self.exchange.over()
        assert len(found) == count
        assert len(self.exchange.calls.listeners) == 0
        assert len(self.exchange.calls.lot) == 0
        assert not any(call.legs for call in await self.exchange.media.calls())
        return found

    def _speaker(self) -> RtpPhone:
        self._media.append(RtpPhone())
        return self._media[-1]

    def close(self) -> None:
        for media in self._media:
            media.close()


@pytest.fixture
async def front_desk(exchange: TestExchange) -> AsyncIterator[FrontDesk]:
    await exchange.enrol("1003", "carol")
    await exchange.enrol("1004", "dora")
    async with AsyncExitStack() as entered:
        phones = [
            await entered.enter_async_context(exchange.phone(name))
            for name in ("alice", "bob", "carol", "dora")
        ]
        desk = FrontDesk(exchange, *phones)
        yield desk
        desk.close()
