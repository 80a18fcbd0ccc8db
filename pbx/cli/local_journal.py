"""The key holder's journal as `pbx audit verify` sees it.

Read from its own file where the account may (root, or everything under one account), so that
verifying needs no running key holder; else asked of the key holder over the exchange's socket.
"""

import os
from pathlib import Path

from pbx.paths import Layout
from storage.keyholder import founding
from storage.keyholder.client import KeyHolder, KeyHolderError
from storage.keyholder.signing import BadKey, Pin
from storage.ledger.journalled import Journalled, read_file


class NotCompared(Exception):
    """Neither the file nor the key holder; the text says what to do."""


async def read_journal(layout: Layout, into: Journalled) -> None:
    """Raises `JournalError` for an altered or missing journal, `NotCompared` for an absent one."""
    file = layout.keys / founding.JOURNAL
    if _may_read(file) or (_may_read(layout.keys) and founding.exists(layout.keys)):
        read_file(file, into, _pinned(layout))
        return
    client = KeyHolder(layout.keyholder_exchange_socket)
    try:
        while records := (await client.journal(into.end + 1)).entries:
            into.take(records)
    except KeyHolderError:
        raise NotCompared(
            "the ledger was not compared with the key holder's journal: verify as root, "
            "or start the exchange with: pbx serve"
        ) from None
    finally:
        await client.close()


def _pinned(layout: Layout) -> bytes | None:
    try:
        return Pin.read(layout.keyholder_pin).signing_key
    except BadKey:
        return None  # verify says by itself that there is no pin


def _may_read(path: Path) -> bool:
    return os.access(path, os.R_OK)
