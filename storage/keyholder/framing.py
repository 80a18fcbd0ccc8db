"""Frames on the key holder's sockets: a 32-bit length, then MessagePack [number, message]."""

import asyncio
from typing import Generic, TypeVar

import msgspec

from storage.keyholder.protocol import MAX_FRAME

T = TypeVar("T")


class BadFrame(Exception):
    """The peer sent something that is no frame of this protocol."""


class Codec(Generic[T]):
    """Reads messages of one closed union; anything else is `BadFrame`."""

    def __init__(self, kind: object) -> None:
        self._decoder = msgspec.msgpack.Decoder(tuple[int, kind])  # type: ignore[valid-type]

    async def read(self, reader: asyncio.StreamReader) -> tuple[int, T] | None:
        """None at the end of the stream."""
        try:
            length = int.from_bytes(await reader.readexactly(4), "big")
            if length > MAX_FRAME:
                raise BadFrame("frame: longer than 1 MiB")
            return self.decode(await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def decode(self, body: bytes) -> tuple[int, T]:
        try:
            number, message = self._decoder.decode(body)
        except msgspec.MsgspecError:
            raise BadFrame("frame: not a message of this edge") from None
        return number, message


def frame(number: int, message: msgspec.Struct) -> bytes:
    body = msgspec.msgpack.encode((number, message))
    return len(body).to_bytes(4, "big") + body
