"""Nobody in a group answers: a message is left in the mailbox that the group says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from storage import messages
from storage.database import Database
from storage.messages import MessageState
from tests.support.calling import database
from tests.support.message_exchange import MessageExchange
from tests.support.voicemail_calls import leave

__all__ = ["database"]


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def left_in(exchange: MessageExchange, mailbox: UUID) -> list[MessageState]:
    await exchange.office.deposits.idle()
    async with exchange.database.read() as connection:
        found = await messages.of_mailboxes(connection, [mailbox], tuple(MessageState))
    return [message.state for message in found]


async def test_a_message_is_left_for_a_group_that_does_not_answer(
    exchange: MessageExchange,
) -> None:
    mailbox = exchange.mailbox("1001")
    await exchange.enrol("1005", "away")
    exchange.group("2000", "1005", mailbox=mailbox)
    exchange.group("2001", mailbox=mailbox)

    for number in ("2000", "2001", "*982000"):  # rings nowhere, has no members, dialled directly
        await leave(exchange, number, caller="bob")

    assert await left_in(exchange, mailbox) == [MessageState.NEW] * 3
    records = await exchange.over()
    assert [record.route for record in records] == ["group", "voicemail", "voicemail"]
