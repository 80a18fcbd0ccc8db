"""The client's end of one worker's control socket: numbered requests, replies, events."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from media.control import (
    LENGTH,
    MAX_MESSAGE,
    AnyReply,
    AnyVerb,
    Failed,
    Fault,
    Hello,
    Ping,
    Request,
)
from media.errors import AnswerRefused, LegGone, MediaFull, MediaUnavailable, Misuse, OfferRefused
from media.values import MediaEvent, Told

PING_EVERY = 10.0
"""Tells the worker that the exchange lives: its legs are not orphans."""
REPLY_WITHIN = 5.0
"""A worker that takes longer hangs; its loop answers within a millisecond."""


class Link:
    """One worker, connected or not."""

    def __init__(self, path: Path, tell: Callable[[MediaEvent], None]) -> None:
        self._path, self._tell = path, tell
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[AnyReply] = msgspec.msgpack.Decoder(AnyReply)
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[AnyReply]] = {}
        self._number = 0
        self.arrived = asyncio.Event()
        self.legs = 0

    @property
    def is_up(self) -> bool:
        """Whether the worker has greeted us."""
        return self.arrived.is_set()

    async def serve(self) -> None:
        """Connect and read until the connection ends."""
        reader, writer = await asyncio.open_unix_connection(str(self._path), limit=MAX_MESSAGE)
        self._writer = writer
        pinging = asyncio.create_task(self._ping())
        try:
            while True:
                (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                self._receive(self._decoder.decode(await reader.readexactly(size)))
        finally:
            pinging.cancel()
            self._down()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def ask(self, verb: AnyVerb) -> AnyReply:
        """The worker's reply, or the error it replied with."""
        if self._writer is None or not self.is_up:
            raise MediaUnavailable("the media worker does not answer")
        self._number += 1
        number = self._number
        future: asyncio.Future[AnyReply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            body = self._encoder.encode(Request(number, verb))
            self._writer.write(LENGTH.pack(len(body)) + body)
            async with asyncio.timeout(REPLY_WITHIN):
                reply = await future
        except TimeoutError:
            raise MediaUnavailable("the media worker does not answer") from None
        finally:
            self._waiting.pop(number, None)
        if isinstance(reply, Failed):
            raise error_of(reply.fault)
        return reply

    def _receive(self, reply: AnyReply) -> None:
        if isinstance(reply, Told):
            self._tell(reply)
        elif isinstance(reply, Hello):
            self.legs = reply.legs
            self.arrived.set()
        else:
            future = self._waiting.get(reply.number)
            if future is not None and not future.done():
                future.set_result(reply)

    def _down(self) -> None:
        self.arrived.clear()
        self._writer = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(MediaUnavailable("the media worker died"))

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY)
            with contextlib.suppress(MediaUnavailable):
                await self.ask(Ping())


def error_of(fault: Fault) -> Exception:
    """A fault as the error it was."""
    match fault.name:
        case "offer":
            return OfferRefused(fault.reason, fault.status, fault.warning)
        case "answer":
            return AnswerRefused(fault.reason, fault.status, fault.warning)
        case "gone":
            return LegGone(fault.reason)
        case "full":
            return MediaFull(fault.reason)
        case "misuse":
            return Misuse(fault.reason)
