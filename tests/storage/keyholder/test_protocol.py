"""storage/keyholder/protocol.py"""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from storage.keyholder import protocol


@pytest.mark.parametrize(
    ("edge", "foreign"),
    [
        (protocol.WorkerRequest, protocol.AskTicket(b"", __import__("uuid").uuid4(), None)),  # type: ignore[arg-type]
        (protocol.ExchangeRequest, protocol.OpenMessage(b"", b"", b"")),
        (protocol.ExchangeRequest, protocol.Unlock(b"")),
    ],
)
def test_an_edge_does_not_know_the_questions_of_another(edge: object, foreign: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(foreign), type=edge)  # type: ignore[call-overload]


def test_an_unknown_field_is_refused() -> None:
    encoded = msgspec.msgpack.encode({"ask": "touch", "session": b"", "more": 1})

    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(encoded, type=protocol.Touch)


def test_what_the_exchange_may_ask_is_told_question_by_question() -> None:
    """SECURITY.md says of each what it is worth to whoever takes the exchange over."""
    text = Path(__file__).parents[3].joinpath("SECURITY.md").read_text()
    table = text.split("### What the exchange may ask\n")[1].split("\nNothing bounds")[0]
    told = [name for row in table.splitlines() for name in re.findall(r"`([a-z-]+)`", _first(row))]

    asked = [question.__struct_config__.tag for question in get_args(protocol.ExchangeRequest)]

    assert sorted(told) == sorted(asked)


def _first(row: str) -> str:
    """The first cell of a row of the table; nothing of other lines."""
    return row.split("|")[1] if row.startswith("| `") else ""
