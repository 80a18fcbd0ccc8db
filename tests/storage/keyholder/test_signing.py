"""storage/keyholder/signing.py"""

from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from storage.keyholder import signing
from storage.keyholder.signing import BadKey, Pin, SignedHead, SignedKey, SignedStatement
from storage.sealed import primitives
from storage.sealed.primitives import Suite

SECRET = bytearray(b"s" * 32)
PINNED = primitives.verifying_key(SECRET)
BOX = UUID(int=7)
KEY = signing.signed_key(
    SECRET,
    SignedKey(UUID(int=1), b"public", "deposit", BOX, UUID(int=8), Suite.HYBRID, 10, 20, 1),
)


def test_a_signed_key_counts_for_its_purpose_mailbox_and_time() -> None:
    assert signing.check_key(PINNED, KEY, purpose="deposit", now=10, mailbox=BOX) is KEY


@pytest.mark.parametrize(
    "change",
    [
        {"public": b"swapped"},
        {"mailbox": UUID(int=9)},
        {"tenure": None},
        {"until": 30},
        {"generation": 2},
        {"suite": Suite.P384},
        {"signature": b"s" * 64},
        {"signature": b""},
    ],
)
def test_a_swapped_row_is_refused_before_sealing(change: dict[str, Any]) -> None:
    swapped = msgspec.structs.replace(KEY, **change)

    with pytest.raises(BadKey, match="not signed"):
        signing.check_key(PINNED, swapped, purpose="deposit", now=10, mailbox=swapped.mailbox)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"purpose": "records", "now": 10, "mailbox": BOX}, "another purpose"),
        ({"purpose": "deposit", "now": 10, "mailbox": UUID(int=9)}, "another mailbox"),
        ({"purpose": "deposit", "now": 10}, "another mailbox"),
        ({"purpose": "deposit", "now": 9, "mailbox": BOX}, "not valid now"),
        ({"purpose": "deposit", "now": 20, "mailbox": BOX}, "not valid now"),
    ],
)
def test_a_genuine_key_is_refused_elsewhere(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(BadKey, match=rule):
        signing.check_key(PINNED, KEY, **arguments)


def test_a_signature_of_one_kind_is_none_of_another() -> None:
    statement = signing.signed_statement(SECRET, SignedStatement("certificate", "text"))
    head = signing.signed_head(SECRET, SignedHead(UUID(int=1), 1, b"c", 2, b"j", 3))

    assert signing.is_signed(PINNED, statement)
    assert signing.is_signed(PINNED, head)
    assert len({KEY.body(), statement.body(), head.body()}) == 3
    moved = msgspec.structs.replace(statement, signature=head.signature)
    assert not signing.is_signed(PINNED, moved)


def test_the_pin_file_is_read_back_and_a_broken_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "pin"
    Pin(PINNED).write(path)

    assert Pin.read(path) == Pin(PINNED)
    assert path.stat().st_mode & 0o777 == 0o644
    path.write_text("{}")
    for broken in (path, tmp_path / "missing"):
        with pytest.raises(BadKey, match="pin file"):
            Pin.read(broken)
