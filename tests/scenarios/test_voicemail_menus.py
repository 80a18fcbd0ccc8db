"""What a mailbox's owner does by phone: greeting and name, PIN, comment; and what callers
hear when no message can be heard or taken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from pbx.voicemail.config import VoicemailConfig
from storage.database import Database
from storage.greetings import GreetingKind
from storage.keyholder import acts
from storage.keyholder.protocol import Opened, Origin
from storage.messages import MessageState
from storage.models.messages import message as table
from tests.support.calling import database
from tests.support.message_exchange import PIN, Caller, MessageExchange
from tests.support.phone_call import CallFailed
from tests.support.prompts import with_tones
from tests.support.rtp_phone import RtpPhone
from tests.support.voicemail_calls import HERTZ, leave, past_beep, sign_in, to_beep

__all__ = ["database"]

OWN = 450.0
"""What an owner says."""
WORDS = 520.0
"""In place of words that matter."""


@pytest.fixture
async def exchange(open_path: Path, database: Database) -> AsyncIterator[MessageExchange]:
    async with MessageExchange(open_path, database, ring_seconds=5) as running:
        yield running


async def to_settings(caller: Caller) -> None:
    await sign_in(caller)
    await caller.prompted("vm-none", "vm-you-have")
    caller.press("*")
    await caller.prompted("vm-settings")


async def say(caller: Caller, seconds: float = 1.2) -> None:
    """From the beep to the hash."""
    await past_beep(caller)
    await caller.say(OWN, seconds)
    caller.press("#")


@pytest.mark.parametrize("kind", list(GreetingKind))
async def test_callers_hear_the_greeting_that_its_owner_recorded(
    exchange: MessageExchange, kind: GreetingKind
) -> None:
    async with exchange.calling("bob", "*97") as bob:
        await to_settings(bob)
        bob.press("1" if kind is GreetingKind.PERSONAL else "2")
        await say(bob)
        await bob.prompted("vm-keep")
        bob.press("2")  # hear it
        await bob.hears(OWN, 0.6)
        await bob.prompted("vm-keep")
        bob.press("1")  # keep it
        await bob.prompted("vm-done")
        await bob.hang_up()

    spoken = exchange.office.greetings.of(exchange.mailbox())
    kept = spoken.personal if kind is GreetingKind.PERSONAL else spoken.name
    assert kept is not None and kept.kind is kind
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await caller.hears(OWN, 0.6)
        await caller.hang_up()
    exchange.files[0].unlink()
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await caller.prompted("vm-unavailable")  # the words for everybody
        await caller.hang_up()


async def test_what_a_caller_marks_and_unmarks_and_words_without_a_number(
    exchange: MessageExchange,
) -> None:
    async with exchange.calling("alice", "*981002") as caller:
        await to_review(caller)
        for key, prompt in (("4", "urgent"), ("5", "private")):
            for state in ("on", "off"):
                await caller.prompted("vm-review")
                caller.press(key)
                await caller.prompted(f"vm-{prompt}-{state}")
        await caller.prompted("vm-review")
        caller.press("0")  # no choice: it is left as it is
        await caller.prompted("vm-left")
        await caller.hang_up()
    [message] = await exchange.kept()
    assert (message.is_urgent, message.is_private) == (False, False)
    exchange.files[0].unlink()

    await exchange.key_holder_away()
    await exchange.office.watch.look()
    exchange.house.time.wall += 660_000_000
    await exchange.office.watch.look()
    async with exchange.calling("alice", "*981002") as caller:
        caller.speak()
        await caller.prompted("vm-cannot-be-heard")
        await caller.prompted("vm-urgent-other")
        await caller.hang_up()
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.prompted("vm-away")
        await asyncio.wait_for(bob.call.ended.wait(), 60)
    assert [record.cause for record in await exchange.over()][-1] == "messages-away"


async def to_review(caller: Caller) -> None:
    caller.speak()
    await to_beep(caller)
    await caller.say(OWN, 1.2)
    caller.press("#")


async def test_every_key_of_somebody_who_listens(exchange: MessageExchange) -> None:
    await leave(exchange, seconds=1.2)
    await leave(exchange, seconds=1.2)
    await exchange.office.chores()
    _, second = await exchange.kept()
    nobodys = {"is_private": True, "caller_sealed": None, "records_key_id": None}
    async with exchange.database.begin() as connection:
        await connection.execute(update(table).where(table.c.id == second.id).values(nobodys))
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.3)
        bob.press("5")  # stand still
        bob.press("5")  # go on
        await bob.hears(HERTZ, 0.2)
        bob.press("6")  # beyond its end
        await bob.prompted("vm-keys")
        bob.press("4")  # nothing plays any more
        bob.press("5")
        bob.press("1")  # from its beginning
        await bob.hears(HERTZ, 0.3)
        bob.press("4")
        await bob.hears(HERTZ, 0.3)
        for number in ("99", "1001"):
            bob.press("8")
            await bob.prompted("vm-whom")
            if number == "1001":
                await revoke(exchange, "anna")
            bob.press(number + "#")
            await bob.prompted("vm-not-for-them")
        bob.press("#")  # the other message
        await bob.prompted("vm-private")
        bob.press("8")
        await bob.prompted("vm-not-for-them")
        bob.press("9")  # of whom nobody knows
        await bob.prompted("vm-fault")
        bob.press("7")  # back
        await bob.prompted("vm-message")
        bob.press("2")
        await bob.prompted("vm-saved-it")
        await bob.prompted("vm-private")
        bob.press("3")
        await bob.prompted("vm-deleted")
        bob.press("#")
        await bob.prompted("vm-no-more")
        bob.press("7")  # the last
        await bob.prompted("vm-message")
        bob.press("#")
        await bob.prompted("vm-no-more")
        bob.press("#")
        await bob.prompted("goodbye")
        await asyncio.wait_for(bob.call.ended.wait(), 60)
    states = {message.state for message in await exchange.kept()}
    assert states == {MessageState.SAVED, MessageState.DELETED}
    assert await exchange.kept("1001") == []
    assert [record.cause for record in await exchange.over()][-1] == "messages-done"


async def revoke(exchange: MessageExchange, login: str) -> None:
    """Whoever has no business with messages any more, by the key holder's table."""
    someone, admin = exchange.people[login], exchange.people["admin"]
    await exchange.house.done(admin, acts.Leave(someone.id))


async def test_what_an_owner_gives_up_changes_nothing(exchange: MessageExchange) -> None:
    async with exchange.calling("bob", "*97") as bob:
        await to_settings(bob)
        bob.press("3")
        await bob.prompted("vm-choose")
        bob.press("1")  # which was never recorded
        await bob.prompted("vm-fault")
        bob.press("3")
        await bob.prompted("vm-choose")
        bob.press("3")
        await bob.prompted("vm-done")
        bob.press("1")
        await say(bob)
        await bob.prompted("vm-keep")
        bob.press("3")  # another time
        await say(bob)
        await bob.prompted("vm-keep")
        bob.press("*")  # neither
        await bob.prompted("vm-settings")
        bob.press("4")
        for prompt, secret in (("vm-pin", PIN), ("vm-new-pin", "480263")):
            await bob.prompted(prompt)
            bob.press(secret + "#")
        await bob.prompted("vm-new-pin-again")
        bob.press("480264#")
        await bob.prompted("vm-different")
        await bob.prompted("vm-settings")
        bob.press("#")
        await bob.prompted("vm-keys")
        await bob.hang_up()
    await exchange.over()
    await exchange.office.chores()

    assert exchange.files == []
    spoken = exchange.office.greetings.of(exchange.mailbox())
    assert (spoken.personal, spoken.name) == (None, None)
    actions = await exchange.ledger_actions()
    assert "factors.changed" not in actions
    opened, _ = await exchange.house.perform(
        acts.PhoneLogIn(exchange.people["ben"].id), origin=Origin("desk", "10.0.0.9"), pin=PIN
    )
    assert isinstance(opened, Opened), "the old PIN counts"


async def test_a_changed_pin_counts_and_the_old_one_no_more(exchange: MessageExchange) -> None:
    new = "480263"
    async with exchange.calling("bob", "*97") as bob:
        await to_settings(bob)
        bob.press("4")
        for prompt, secret in (("vm-pin", PIN), ("vm-new-pin", new), ("vm-new-pin-again", new)):
            await bob.prompted(prompt)
            bob.press(secret + "#")
        await bob.prompted("vm-done")
        await bob.hang_up()
    assert "factors.changed" in await exchange.ledger_actions()
    await leave(exchange)

    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob, PIN)
        await bob.prompted("vm-refused")
        assert (await exchange.ledger_actions()).count("message.heard") == 0
        await sign_in(bob, new)
        await bob.hears(HERTZ, 0.8)
        await bob.hang_up()


async def test_a_comment_comes_before_what_is_sent_on(exchange: MessageExchange) -> None:
    await leave(exchange)
    async with exchange.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.hears(HERTZ, 0.5)
        bob.press("8")
        await bob.prompted("vm-whom")
        bob.press("1001#")
        await bob.prompted("vm-comment")
        bob.press("1")
        await say(bob)
        async with asyncio.timeout(60):
            while len(await exchange.kept("1001")) < 2:  # noqa: ASYNC110 - many causes
                await asyncio.sleep(0.1)
        await bob.hang_up()
    await exchange.office.chores()

    async with exchange.calling("alice", "*97") as alice:
        await sign_in(alice)
        await alice.hears(OWN, 0.6)
        alice.press("#")
        await alice.hears(HERTZ, 0.8)
        await alice.hang_up()


async def test_callers_are_told_when_messages_cannot_be_heard(
    open_path: Path, database: Database
) -> None:
    exchange = MessageExchange(open_path, database)
    exchange.prompts = with_tones(open_path / "prompts", {"vm-cannot-be-heard": WORDS})
    exchange.config = VoicemailConfig(away_minutes=1, urgent_number="112")
    async with exchange:
        watch = exchange.office.watch
        await exchange.key_holder_away()
        await watch.look()
        assert watch.away_since is not None
        assert "Practice manager" not in " ".join(exchange.office.alarms())
        await leave(exchange)  # as ever

        exchange.house.time.wall += 180_000_000
        await watch.look()
        async with exchange.calling("alice", "*981002") as caller:
            caller.speak()
            await caller.hears(WORDS, 0.3)
            await caller.hears(1000, 0.1)  # and a message is taken all the same
            await caller.hang_up()
        assert "Practice manager" in " ".join(exchange.office.alarms())
        await exchange.key_holder_back()
        await watch.look()
        assert watch.away_since is None


async def test_callers_are_told_when_there_is_no_room(open_path: Path, database: Database) -> None:
    most = (1 << 24) - 1
    exchange = MessageExchange(
        open_path, database, media={"messages_low": most, "messages_reserve": most}
    )
    exchange.prompts = with_tones(open_path / "prompts", {"vm-not-possible": WORDS})
    async with exchange:
        watch = exchange.office.watch
        await watch.look_at_disk()
        assert "disk of messages is full" in " ".join(exchange.office.alarms())
        async with exchange.phone("alice") as alice:
            with closing(RtpPhone()) as media:
                call = alice.invite("*981002", media.sdp())
            with pytest.raises(CallFailed) as refused:
                await call.answered()
            assert refused.value.response.status == 480

        watch.spool = None  # it filled up since the last look
        async with exchange.calling("alice", "*981002") as caller:
            caller.speak()
            await caller.hears(WORDS, 0.3)
            await caller.call.ended.wait()
        assert await exchange.kept() == []
        assert exchange.files == []
