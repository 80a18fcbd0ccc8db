"""Key presses in SIP INFO are read in the forms that phones send, and in no other."""

import asyncio

import pytest

from pbx.b2bua.key_press import BARE, RELAY, KeyPress, read, written
from tests.support.calling import talking
from tests.support.exchange import TestExchange
from tests.support.phone_call import Call


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (RELAY, b"Signal=5\r\nDuration=250\r\n", KeyPress("5", 250)),
        (RELAY, b"Signal= #\nDuration= 100", KeyPress("#", 100)),
        (RELAY, b"signal=10\r\n", KeyPress("*")),
        (RELAY, b"Signal=d\r\nDuration=99999\r\n", KeyPress("D", 8_000)),
        (BARE, b"7", KeyPress("7")),
        (BARE, b" 11\r\n", KeyPress("#")),
        (RELAY, b"Duration=160\r\n", None),
        (RELAY, b"Signal=55\r\n", None),
        (RELAY, b"Signal=5\r\nDuration=-1\r\n", None),
        (RELAY, b"5", None),
        (BARE, b"", None),
        (BARE, b"\xb5", None),
        (BARE, b"Signal=5", None),
    ],
)
def test_what_is_read(kind: str, body: bytes, expected: KeyPress | None) -> None:
    assert read(kind, body) == expected


def test_a_key_press_shows_no_key() -> None:
    assert "7" not in repr(KeyPress("7"))


@pytest.mark.parametrize("key", [KeyPress("5", 250), KeyPress("*"), KeyPress("D", 8_000)])
def test_what_is_written_is_read_again(key: KeyPress) -> None:
    assert read(RELAY, written(key)) == key


async def press(call: Call, kind: str, body: bytes) -> int:
    info = call.message("INFO")
    info.headers.add("Content-Type", kind)
    info.body = body
    return (await call.ask(info)).status


async def test_a_key_goes_to_the_phone_at_the_other_end_if_it_takes_keys(
    exchange: TestExchange,
) -> None:
    takes = (("Allow", "INVITE, ACK, BYE, CANCEL, INFO"),)
    async with talking(exchange, says=takes) as talk:
        assert await press(talk.outgoing, BARE, b"7") == 200
        passed = await asyncio.wait_for(talk.incoming.requests.get(), 60)
        assert (passed.method, passed.content_type) == ("INFO", RELAY)
        assert passed.body == b"Signal=7\r\nDuration=160\r\n"
        talk.incoming.answer_in_dialog(passed, 200)
        assert await press(talk.outgoing, RELAY, b"Signal=x\r\n") == 400
        assert await press(talk.outgoing, "text/plain", b"7") == 415
        assert await press(talk.incoming, BARE, b"7") == 415  # the caller has not said that it does
        await talk.outgoing.bye()
    assert talk.incoming.requests.empty()
