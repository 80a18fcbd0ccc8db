"""storage/keyholder/protocol.py"""

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
