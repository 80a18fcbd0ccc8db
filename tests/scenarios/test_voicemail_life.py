"""What becomes of messages in time: hidden, brought back, held, destroyed, opened no more."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from pbx.directory import Directory
from storage import messages, retention
from storage.database import Database
from storage.keyholder import acts
from storage.keyholder.acts import Role
from storage.keyholder.client import Refused
from storage.keyholder.signing import SignedStatement, is_signed
from storage.messages import Message, MessageState
from tests.support.calling import database
from tests.support.keyholder import evidence
from tests.support.message_exchange import MessageExchange
from tests.support.voicemail_calls import do, leave

__all__ = ["database"]
DAYS = 86_400


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def opens(exchange: MessageExchange, message: Message) -> bool:
    """Whether the key holder gives its owner a ticket."""
    session = exchange.people["ben"].session
    try:
        await exchange.keyholder.ticket(session, message.id, evidence())
    except Refused:
        return False
    return True


async def test_heard_hidden_destroyed_with_a_certificate_and_no_copy_opens_it(
    exchange: MessageExchange, tmp_path: Path
) -> None:
    await leave(exchange)
    await leave(exchange)
    await exchange.office.chores()
    kept, gone = await exchange.kept()
    assert gone.adopted_at is not None
    await exchange.sign_in_again("ben")
    assert await opens(exchange, gone)
    yesterday = tmp_path / "yesterday"
    shutil.copytree(exchange.store / "messages", yesterday)
    await do(exchange, messages.heard, gone.id)

    for days in (30, 30, 31):
        exchange.house.time.pass_(days * DAYS)
        await exchange.sign_in_again("ben")  # whoever stays away for 35 days is shut out
    dry = await exchange.office.purge.run(is_dry_run=True)
    hidden = await exchange.office.purge.run()
    assert (dry.hidden, hidden.hidden, hidden.destroyed) == (1, 1, 0)
    await do(exchange, messages.undelete, gone.id)
    assert await opens(exchange, gone)
    assert (await exchange.office.purge.run()).hidden == 0, "its time begins again"
    await do(exchange, messages.delete, gone.id, "owner")

    exchange.house.time.pass_(31 * DAYS)
    await exchange.sign_in_again("ben")
    done = await exchange.office.purge.run()
    await exchange.office.chores()

    assert (done.destroyed, done.refused, done.left) == (1, 0, 0)
    after = {one.id: one for one in await exchange.kept()}
    assert after[gone.id].state is MessageState.DESTROYED
    assert after[kept.id].state is MessageState.NEW, "what nobody heard is never due"
    statement = msgspec.json.decode(after[gone.id].certificate or "", type=SignedStatement)
    assert exchange.house.pin is not None
    assert is_signed(exchange.house.pin.signing_key, statement)
    assert "SP 800-88" in statement.text
    assert len(exchange.files) == 1
    assert not await opens(exchange, gone), "yesterday's file, today's key store"
    assert await opens(exchange, kept)
    actions = await exchange.ledger_actions()
    assert {"message.deleted", "message.undeleted", "message.destroyed"} <= set(actions)
    assert (await exchange.office.purge.run()).destroyed == 0


async def test_a_hold_at_the_key_holder_stops_destruction_whatever_our_rows_say(
    exchange: MessageExchange,
) -> None:
    await leave(exchange)
    await exchange.office.chores()
    [message] = await exchange.kept()
    admin, manager = exchange.people["admin"], exchange.people["manager"]
    officer = await exchange.house.enrolled("officer", Role.COMPLIANCE_OFFICER, admin, manager)
    hold = uuid4()
    await exchange.house.done(officer, acts.Hold(exchange.mailbox(), hold))
    await do(exchange, messages.delete, message.id, "owner")
    exchange.house.time.pass_(40 * DAYS)

    done = await exchange.office.purge.run()

    assert (done.destroyed, done.refused) == (0, 1)
    [message] = await exchange.kept()
    assert message.state is MessageState.DELETED
    async with exchange.database.read() as connection:
        assert len(await retention.to_destroy(connection, exchange.now())) == 1


async def test_the_next_holder_of_an_extension_finds_an_empty_box(
    exchange: MessageExchange,
) -> None:
    await leave(exchange)
    before = exchange.mailbox()
    entries = exchange.directory.entries
    exchange.directory = Directory(
        msgspec.structs.replace(
            entries, tenancies=tuple(one for one in entries.tenancies if one.number != "1002")
        )
    )
    await exchange.hire("cora", "1002", "cora-phone")

    assert exchange.mailbox() != before
    assert await exchange.kept() == []
