"""storage/details.py"""

from uuid import uuid4

import msgspec
import pytest

from storage.details import Detail, sealed_detail
from storage.keyholder import slots
from storage.keyholder.keyring import make_key
from storage.keyholder.records import SETTINGS, Settings
from storage.keyholder.signing import BadKey
from storage.sealed.primitives import OpenError, Suite, generate_signing_key, verifying_key

NOW = 1_000


def test_a_detail_opens_with_the_key_holder_s_key_for_its_own_operation() -> None:
    settings = Settings(SETTINGS, generate_signing_key(), bytearray(32), bytearray(32))
    pinned = verifying_key(settings.signing_key)
    row = make_key(settings, Suite.P384, "records", 0, 2 * NOW, 1)
    operation = uuid4()

    column = sealed_detail(pinned, row.signed, "a patient called", operation, NOW)

    assert b"patient" not in column
    detail = Detail.decode(column)
    secret = slots.open_records_key(row.signed, row.private, detail.sealed)
    assert (detail.key, detail.open(secret, operation)) == (row.id, "a patient called")
    with pytest.raises(OpenError):
        detail.open(secret, uuid4())
    swapped = msgspec.structs.replace(row.signed, purpose="deposit")
    for pin, key in ((pinned, swapped), (bytes(32), row.signed)):
        with pytest.raises(BadKey):
            sealed_detail(pin, key, "a patient called", operation, NOW)
