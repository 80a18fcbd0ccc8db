"""Key presses in SIP INFO are read in the forms that phones send, and in no other."""

import pytest

from pbx.b2bua.key_press import BARE, RELAY, KeyPress, read


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
