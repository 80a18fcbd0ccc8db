"""Lamps over the whole exchange: a lean phone subscribes, or is told unasked."""

import asyncio
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest

from pbx.directory import Directory
from pbx.sip.event import SubscriptionState
from pbx.sip.message import Request, Response
from pbx.voicemail.lamps import MOST_ENDING
from storage import messages
from storage.deeds import Deed
from storage.identifiers import new_id
from storage.ledger.entry import SYSTEM
from storage.ledger.unit import Unit
from storage.messages import NewMessage
from storage.sealed import primitives
from tests.support.exchange import TestExchange, clock
from tests.support.phone import Phone

EMPTY = b"Messages-Waiting: no"


def mailbox(exchange: TestExchange, number: str = "1001") -> UUID:
    found = exchange.directory.tenancies[number].mailbox
    assert found is not None
    return found


async def leave(exchange: TestExchange, box: UUID, *, urgent: bool = False) -> UUID:
    new = NewMessage(
        id=new_id(clock), mailbox=box, content=primitives.random(16), deposit_key=UUID(int=1),
        slot=b"s", codec="pcmu", milliseconds=1, octets=1, segments=1,
        digest=primitives.random(32), received_at=clock(), is_urgent=urgent,
    )  # fmt: skip
    await do(exchange, messages.deposit, new, None, None)
    exchange.lamps.changed(box)
    await exchange.lamps.idle()  # else a phone that registers meanwhile is told unasked
    return new.id


async def do(exchange: TestExchange, verb: object, *arguments: object) -> None:
    async def work(unit: Unit) -> None:
        await verb(unit, Deed(SYSTEM, new_id(clock), clock()), *arguments)  # type: ignore[operator]

    await exchange.committer.run(work)


def subscription(phone: Phone, **more: str) -> Request:
    request = phone.request("SUBSCRIBE", phone.account.aor)
    fields = {
        "Contact": phone.contact, "Event": "message-summary", "Expires": "600",
        "Accept": "application/simple-message-summary", **more,
    }  # fmt: skip
    for name, value in fields.items():
        if value:
            request.headers.add(name, value)
    return request


async def told(phone: Phone) -> tuple[str, SubscriptionState]:
    async with asyncio.timeout(60):
        request = await phone.notified.get()
    assert request.headers.first("Event") == "message-summary"
    state = SubscriptionState.parse(request.headers.first("Subscription-State") or "")
    return request.body.decode(), state


def again(phone: Phone, first: Request, answer: Response, expires: int) -> Request:
    request = subscription(phone, Expires=str(expires))
    request.headers.set("From", first.headers.all("From")[0])
    request.headers.set("To", answer.headers.all("To")[0])
    request.headers.set("Call-ID", first.call_id)
    return Request("SUBSCRIBE", answer.contacts[0].uri_text, request.headers)


async def test_a_subscribed_phone_is_told_at_once_and_at_every_change(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice:
        answer = await alice.ask(subscription(alice))
        assert (answer.status, answer.expires) == (200, 600)
        body, state = await told(alice)
        assert (body.startswith("Messages-Waiting: no"), state.state) == (True, "active")

        first = await leave(exchange, mailbox(exchange), urgent=True)
        assert "Voice-Message: 1/0 (1/0)" in (await told(alice))[0]
        await do(exchange, messages.heard, first)
        exchange.lamps.changed(mailbox(exchange))
        body, _ = await told(alice)
        assert ("Messages-Waiting: no" in body, "0/1 (0/1)" in body) == (True, True)
        exchange.lamps.changed(mailbox(exchange))
        exchange.lamps.changed(mailbox(exchange, "1002"))

        await alice.ping()
        assert alice.notified.empty(), "nothing changed for this phone"


async def test_a_phone_that_never_subscribed_is_told_when_it_registers_and_at_changes(
    exchange: TestExchange,
) -> None:
    await leave(exchange, mailbox(exchange))
    await exchange.lamps.idle()
    async with exchange.phone("alice") as alice:
        body, state = await told(alice)
        assert ("Messages-Waiting: yes" in body, state.state) == (True, "terminated")

        await leave(exchange, mailbox(exchange))

        assert "Voice-Message: 2/0" in (await told(alice))[0]


async def test_the_lamp_of_a_phone_that_was_away_when_its_last_message_went_goes_out(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice:
        await alice.ping()
        assert alice.notified.empty(), "who has no message and never had one is told nothing"
        message = await leave(exchange, mailbox(exchange))
        assert "Messages-Waiting: yes" in (await told(alice))[0]
        alice.close()
        await alice.closed.wait()
        await do(exchange, messages.delete, message, "owner")
        exchange.lamps.changed(mailbox(exchange))
        await exchange.lamps.idle()

        await exchange.connect(alice)
        await alice.register()

        assert "Messages-Waiting: no" in (await told(alice))[0]


async def test_a_lamp_that_is_switched_off_goes_out_and_on_again_unasked(
    exchange: TestExchange,
) -> None:
    entries = exchange.directory.entries
    async with exchange.phone("alice") as alice:
        await leave(exchange, mailbox(exchange))
        assert "Messages-Waiting: yes" in (await told(alice))[0]
        for shows, said in ((False, "no"), (True, "yes")):
            devices = tuple(
                msgspec.structs.replace(one, shows_lamp=shows) for one in entries.devices
            )
            exchange.directory = Directory(msgspec.structs.replace(entries, devices=devices))
            exchange.lamps.directory_changed()
            assert f"Messages-Waiting: {said}" in (await told(alice))[0]


async def test_a_phone_that_wants_none_is_left_alone_until_it_registers_again(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice:
        alice.notify_status = 489
        await leave(exchange, mailbox(exchange))
        await told(alice)
        await alice.ping()
        await leave(exchange, mailbox(exchange))
        await exchange.lamps.idle()
        await alice.ping()
        assert alice.notified.empty()
        await alice.unregister()
        await alice.register()

        assert "2/0" in (await told(alice))[0]


async def test_a_refresh_is_answered_with_the_state_and_zero_ends_it(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice:
        first = subscription(alice)
        answer = await alice.ask(first)
        await told(alice)

        assert (await alice.ask(again(alice, first, answer, 300))).expires == 300
        _, state = await told(alice)
        assert (state.state, 0 < (state.expires or 0) <= 300) == ("active", True)
        assert (await alice.ask(again(alice, first, answer, 0))).status == 200
        _, state = await told(alice)
        assert (state.state, state.reason) == ("terminated", "timeout")

        await alice.ping()
        assert len(exchange.lamps) == 0
        assert (await alice.ask(again(alice, first, answer, 300))).status == 481


async def test_a_subscription_that_is_not_refreshed_ends(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice:
        await alice.ask(subscription(alice))
        await told(alice)

        exchange.lamps.expire(asyncio.get_running_loop().time() + 600)

        assert (await told(alice))[1].state == "terminated"


async def test_a_phone_that_does_not_know_the_subscription_any_more_is_forgotten(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice:
        alice.notify_status = 481
        await alice.ask(subscription(alice))
        await told(alice)
        await alice.ping()

        assert len(exchange.lamps) == 0


async def test_what_a_phone_missed_while_it_was_away_it_hears_when_it_is_back(
    exchange: TestExchange,
) -> None:
    async with exchange.phone("alice") as alice:
        await alice.ask(subscription(alice))
        await told(alice)
        alice.close()
        await alice.closed.wait()
        await leave(exchange, mailbox(exchange))
        await exchange.lamps.idle()

        await exchange.connect(alice)
        await alice.register()

        assert "Voice-Message: 1/0" in (await told(alice))[0]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Event": "presence"}, 489),
        ({"Event": ""}, 489),
        ({"Accept": "application/pidf+xml"}, 406),
        ({"Expires": "5"}, 423),
    ],
)
async def test_what_we_cannot_tell_is_refused(
    exchange: TestExchange, fields: dict[str, str], status: int
) -> None:
    async with exchange.phone("alice") as alice:
        assert (await alice.ask(subscription(alice))).status == 200
        answer = await alice.ask(subscription(alice, **fields))

    assert answer.status == status
    if status == 489:
        assert answer.headers.first("Allow-Events") == "message-summary"


async def test_nobody_subscribes_without_a_password(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice:
        stranger = Phone(replace(alice.account, password="wrong"))
        await exchange.connect(stranger)
        try:
            answer = await stranger.ask(subscription(stranger))
        finally:
            stranger.close()

    assert answer.status in (401, 403)
    assert len(exchange.lamps) == 0


async def test_one_phones_subscription_is_not_anothers(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice, exchange.phone("bob") as bob:
        first = subscription(alice)
        answer = await alice.ask(first)
        await told(alice)

        stolen = again(bob, first, answer, 0)
        stolen.headers.set("CSeq", "99 SUBSCRIBE")

        assert (await bob.ask(stolen)).status == 403
        assert len(exchange.lamps) == 1


async def test_a_lamp_that_is_switched_off_says_nothing(exchange: TestExchange) -> None:
    entries = exchange.directory.entries
    exchange.directory = Directory(
        msgspec.structs.replace(
            entries,
            devices=tuple(
                msgspec.structs.replace(one, shows_lamp=one.username != "alice")
                for one in entries.devices
            ),
        )
    )
    await leave(exchange, mailbox(exchange))
    async with exchange.phone("alice") as alice:
        await alice.ask(subscription(alice))
        assert "Messages-Waiting: no" in (await told(alice))[0]
        exchange.directory = Directory(entries)
        exchange.lamps.directory_changed()

        assert "Voice-Message: 1/0" in (await told(alice))[0]


async def test_one_phone_has_only_so_many_subscriptions(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice:
        states = []
        for _ in range(6):
            assert (await alice.ask(subscription(alice))).status == 200
            states.append((await told(alice))[1].state)
        while states.count("terminated") < 2:
            states.append((await told(alice))[1].state)
        await alice.ping()

        assert len(exchange.lamps) == 4


async def test_a_phone_that_nobody_holds_is_told_of_nothing(exchange: TestExchange) -> None:
    entries = exchange.directory.entries
    exchange.directory = Directory(msgspec.structs.replace(entries, tenancies=()))
    async with exchange.phone("alice") as alice:
        await alice.ask(subscription(alice))
        assert "Messages-Waiting: no" in (await told(alice))[0]


async def test_a_phone_that_answers_nothing_begins_only_so_many(exchange: TestExchange) -> None:
    async with exchange.phone("alice") as alice:
        alice.notify_status = 100  # of no request a final answer
        first = subscription(alice)
        answer = await alice.ask(first)
        more = [(await alice.ask(subscription(alice))).status for _ in range(MOST_ENDING + 3)]

        assert [answer.status, *more] == [200] * MOST_ENDING + [503] * 4
        assert len(exchange.lamps) == MOST_ENDING
        refused = await alice.ask(again(alice, first, answer, 600))
        assert refused.status == 481, "it gave way to later ones"
