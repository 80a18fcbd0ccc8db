"""The client's end of one worker's control socket: numbered requests, replies, events."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from media.control import (
    LENGTH,
    UNASKED,
    AnyReply,
    AnyVerb,
    Failed,
    Fault,
    Hello,
    Ping,
    Request,
)
from media.errors import (
    AnswerRefused,
    LegGone,
    MediaFull,
    MediaUnavailable,
    MessageRefused,
    Misuse,
    OfferRefused,
)
from media.values import MediaEvent, Told

PING_EVERY = 2.0
"""Tells the worker that the exchange lives: its legs are not orphans."""
REPLY_WITHIN = 3.0
"""A worker that takes longer hangs; its loop answers within a millisecond."""


class Link(asyncio.Protocol):
    """One worker, connected or not."""

    def __init__(
        self,
        path: Path,
        tell: Callable[[MediaEvent], None],
        greeted: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._tell, self._greeted = path, tell, greeted
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[AnyReply] = msgspec.msgpack.Decoder(AnyReply)
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._waiting: dict[int, asyncio.Future[AnyReply]] = {}
        self._number = 0
        self._ended = asyncio.Event()
        self.arrived = asyncio.Event()
        self.legs = 0

    @property
    def is_up(self) -> bool:
        """Whether the worker has greeted us."""
        return self.arrived.is_set()

    async def serve(self) -> None:
        """Connect and stay until the connection ends."""
        self._ended.clear()
        self._incoming.clear()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_unix_connection(lambda: self, str(self._path))
        pinging = asyncio.create_task(self._ping())
        try:
            await self._ended.wait()
        finally:
            pinging.cancel()
            self._transport.abort()
            self._down()

    async def ask(self, verb: AnyVerb) -> AnyReply:
        """The worker's reply, or the error it replied with."""
        self._number += 1
        number = self._number
        future: asyncio.Future[AnyReply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._send(Request(number, verb))
            reply = await future
        finally:
            self._waiting.pop(number, None)
        if isinstance(reply, Failed):
            raise error_of(reply.fault)
        return reply

    def say(self, verb: AnyVerb) -> None:
        """What needs no reply; what is asked next finds it done."""
        self._send(Request(UNASKED, verb))

    # --- asyncio's side

    def data_received(self, data: bytes) -> None:
        """Replies and events, as they come."""
        incoming = self._incoming
        incoming += data
        while len(incoming) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(incoming)[0]
            if len(incoming) < end:
                break
            message = bytes(incoming[LENGTH.size : end])
            del incoming[:end]
            try:
                self._receive(self._decoder.decode(message))
            except msgspec.DecodeError:
                self._ended.set()  # not our worker, or not its version
                return

    def connection_lost(self, error: Exception | None) -> None:
        """The worker closed, or died."""
        self._ended.set()

    def _send(self, request: Request) -> None:
        if self._transport is None or not self.is_up:
            raise MediaUnavailable("the media worker does not answer")
        body = self._encoder.encode(request)
        self._transport.write(LENGTH.pack(len(body)) + body)

    def _receive(self, reply: AnyReply) -> None:
        if isinstance(reply, Told):
            self._tell(reply)
        elif isinstance(reply, Hello):
            self.legs = reply.legs
            self.arrived.set()
            self._greeted()
        else:
            future = self._waiting.get(reply.number)
            if future is not None and not future.done():
                future.set_result(reply)

    def _down(self) -> None:
        self.arrived.clear()
        self._transport = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(MediaUnavailable("the media worker died"))

    async def _ping(self) -> None:
        """One timer for the whole link, not one for each question: a worker that hangs is left."""
        while True:
            await asyncio.sleep(PING_EVERY)
            try:
                async with asyncio.timeout(REPLY_WITHIN):
                    await self.ask(Ping())
            except (TimeoutError, MediaUnavailable):
                self._ended.set()


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
        case "message":
            return MessageRefused(fault.reason)
        case "misuse":
            return Misuse(fault.reason)
