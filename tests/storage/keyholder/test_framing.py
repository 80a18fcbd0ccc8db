"""storage/keyholder/framing.py"""

import asyncio

import pytest

from storage.keyholder import protocol
from storage.keyholder.framing import BadFrame, Codec, frame
from storage.keyholder.protocol import MAX_FRAME, Ping, Request, State


def reader(data: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return stream


async def test_frames_are_read_one_by_one_until_the_end() -> None:
    codec: Codec[Request] = Codec(protocol.WorkerRequest)
    stream = reader(frame(1, Ping()) + frame(2, protocol.AskChallenge()))

    assert await codec.read(stream) == (1, Ping())
    assert await codec.read(stream) == (2, protocol.AskChallenge())
    assert await codec.read(stream) is None


async def test_half_a_frame_is_the_end() -> None:
    codec: Codec[Request] = Codec(protocol.WorkerRequest)

    assert await codec.read(reader(frame(1, Ping())[:-1])) is None
    assert await codec.read(reader(b"\0\0")) is None


@pytest.mark.parametrize(
    "data",
    [
        (MAX_FRAME + 1).to_bytes(4, "big"),
        b"\0\0\0\1\xc1",
        frame(1, protocol.Pong(State.READY, 1)),
        frame(1, protocol.KeyStatus()),
        frame("x", Ping()),  # type: ignore[arg-type]
    ],
)
async def test_what_is_no_frame_of_the_edge_is_refused(data: bytes) -> None:
    codec: Codec[Request] = Codec(protocol.WorkerRequest)

    with pytest.raises(BadFrame):
        await codec.read(reader(data))
