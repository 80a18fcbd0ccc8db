"""storage/keyholder/records.py"""

from typing import get_args
from uuid import UUID

import msgspec
import pytest

from storage.keyholder.records import (
    SETTINGS,
    AnyRow,
    Failures,
    KeyRow,
    MessageSecret,
    Person,
    Proposal,
    Row,
    Settings,
    Share,
    Standing,
    Tombstone,
)

ONE = UUID(int=1)


def test_every_kind_of_row_has_a_tag_of_its_own_and_an_identifier() -> None:
    kinds = get_args(AnyRow)

    assert len({kind.__struct_config__.tag for kind in kinds}) == len(kinds)
    assert all("id" in kind.__struct_fields__ for kind in kinds)
    assert all(issubclass(kind, Row) for kind in kinds)


@pytest.mark.parametrize(
    "row",
    [
        Person(ONE, "ann", Standing.INVITED, 5),
        MessageSecret(ONE, UUID(int=2), bytearray(b"secret"), 7),
        Tombstone(ONE, 3),
        Failures(ONE, (1, 2), 3),
        Proposal(ONE, b"act", b"digest", UUID(int=2), 9),
        Settings(SETTINGS, bytearray(b"s"), bytearray(b"i"), bytearray(b"c")),
    ],
)
def test_a_row_comes_back_as_its_own_kind(row: Row) -> None:
    encoded = msgspec.msgpack.encode(row)

    assert msgspec.msgpack.decode(encoded, type=AnyRow) == row


def test_what_must_be_wiped_is_held_where_it_can_be() -> None:
    """A secret in `bytes` cannot be overwritten."""
    secrets = {
        KeyRow: ("private",),
        MessageSecret: ("secret",),
        Proposal: ("secret",),
        Share: ("mnemonic",),
        Settings: ("signing_key", "index_key", "code_key"),
    }
    for kind, names in secrets.items():
        types = {field.name: field.type for field in msgspec.structs.fields(kind)}
        assert all(types[name] is bytearray for name in names)


def test_a_row_of_no_known_kind_is_refused() -> None:
    encoded = msgspec.msgpack.encode({"type": "surprise", "id": ONE.bytes})

    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(encoded, type=AnyRow)
