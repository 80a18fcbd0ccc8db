"""Whoever has the exchange, and somebody's session with it, hears nothing on a leg of their own.

The exchange is played by the test: it has the handle of a session that is open, asks for tickets,
and tells the worker where to play. Each refusal is of the very request that is granted on the leg
where the PIN was typed, or for the key of the command in which the person signed in.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from media.client import (
    Asker,
    Deposit,
    MessageOpened,
    MessageRefused,
    Playing,
    Recorded,
    Recording,
    Resealed,
    Resealing,
    SecretEntered,
    SecretEntry,
    Ticketed,
)
from storage.keyholder import acts, protocol, slots, vouchers
from storage.keyholder.protocol import AskTicket, KeyList, Origin, Proof, PublicKeys, Ticket
from storage.sealed import primitives
from storage.sealed.primitives import OpenError, Pair, Suite
from tests.support.keyholder import BINDING, evidence
from tests.support.mailroom import Kept, Mailroom, mailroom, speak
from tests.support.rtp_phone import RtpPhone

PIN = "730562"


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path, binding=b"") as made:
        yield made


async def left(room: Mailroom, leg: str, phone: RtpPhone) -> Kept:
    await room.desk.client.record(leg, Recording(seal=room.deposit(), beep=False))
    await speak(phone, 1.3)
    await room.desk.client.stop_recording(leg)
    return await room.adopt(await room.desk.event(Recorded))


async def signed_in(room: Mailroom, leg: str, phone: RtpPhone) -> bytes:
    """By PIN on this leg; the session's handle is what the exchange gets to know."""
    await room.house.done(room.doctor, acts.SetPin(("2001",)), new_pin=PIN)
    await room.desk.client.enter_secret(leg, SecretEntry())
    for key in PIN + "#":
        phone.press("0123456789*#".index(key))
    assert (await room.desk.event(SecretEntered)).outcome == "complete"
    act = acts.PhoneLogIn(room.doctor.id)
    sealed = await room.desk.client.seal_secrets(leg, acts.canonical(act))
    proof = Proof(sealed, Origin("her own phone", "10.0.0.9"), b"")
    answer = await room.house.holder.answer(protocol.Perform(act, proof, evidence()))
    assert isinstance(answer, protocol.Opened)
    return answer.session


async def ticketed(room: Mailroom, kept: Kept, session: bytes) -> Ticketed:
    ticket = await room.house.ask(AskTicket(session, kept.id, evidence()), Ticket)
    return Ticketed(kept.content, ticket.ticket, kept.slot)


async def test_a_message_plays_where_the_pin_was_typed_and_nowhere_else(room: Mailroom) -> None:
    client, own, strangers = room.desk.client, RtpPhone(), RtpPhone()
    leg, other = await room.desk.alone(own), await room.desk.alone(strangers)
    kept = await left(room, leg, own)
    session = await signed_in(room, leg, own)

    async def play(where: str) -> MessageOpened:
        opening = await ticketed(room, kept, session)
        return await client.play_message(where, Playing(opening=opening, expect=kept.expect))

    assert isinstance(await play(leg), MessageOpened)
    with pytest.raises(MessageRefused, match="refused"):
        await play(other)
    assert isinstance(await play(leg), MessageOpened), "she hears on"


async def test_a_message_is_sent_on_from_where_the_pin_was_typed_and_nowhere_else(
    room: Mailroom,
) -> None:
    client, house, own, strangers = room.desk.client, room.house, RtpPhone(), RtpPhone()
    leg, other = await room.desk.alone(own), await room.desk.alone(strangers)
    kept = await left(room, leg, own)
    session = await signed_in(room, leg, own)
    box = uuid4()
    await house.done(room.admin, acts.OpenTenure(box, uuid4(), room.doctor.id))
    signed = (await house.ask(PublicKeys("deposit", box), KeyList)).keys[0]

    async def send(where: str) -> Resealed:
        to = Deposit(os.urandom(16), str(box), msgspec.msgpack.encode(signed))
        opening = await ticketed(room, kept, session)
        return await client.reseal(Resealing(opening=opening, expect=kept.expect, to=to, leg=where))

    assert isinstance(await send(leg), Resealed)
    with pytest.raises(MessageRefused, match="refused"):
        await send(other)


async def test_the_session_of_a_phone_is_sealed_to_no_key(room: Mailroom) -> None:
    """Nobody signed in by PIN has a command, so whose key it is does not matter."""
    client, own = room.desk.client, RtpPhone()
    leg = await room.desk.alone(own)
    kept = await left(room, leg, own)
    session = await signed_in(room, leg, own)
    opening = await ticketed(room, kept, session)
    playing = Playing(opening=opening, expect=kept.expect)
    assert isinstance(await client.play_message(leg, playing), MessageOpened)

    pair = primitives.generate_pair(Suite.HYBRID)
    asker = Asker(os.urandom(16), pair.suite, pair.public, bytes(32))
    again = await ticketed(room, kept, session)
    with pytest.raises(MessageRefused, match="refused"):
        await client.reseal(Resealing(opening=again, expect=kept.expect, to=asker, leg=leg))


async def test_a_swapped_key_gets_nothing_while_the_commands_own_key_opens(room: Mailroom) -> None:
    client, own = room.desk.client, RtpPhone()
    kept = await left(room, await room.desk.alone(own), own)
    session = room.doctor.session  # signed in at a terminal, with `BINDING`
    mine, attackers = (primitives.generate_pair(Suite.HYBRID) for _ in range(2))
    voucher = vouchers.of_command(BINDING, kept.id, Suite.HYBRID, mine.public)

    async def sealed_to(pair: Pair) -> Resealed:
        asker = Asker(os.urandom(16), pair.suite, pair.public, voucher)
        opening = await ticketed(room, kept, session)
        return await client.reseal(Resealing(opening=opening, expect=kept.expect, to=asker))

    done = await sealed_to(mine)
    assert slots.open_asker_slot(mine.suite, mine.private, done.content, done.slot)
    with pytest.raises(OpenError):
        slots.open_asker_slot(attackers.suite, attackers.private, done.content, done.slot)

    with pytest.raises(MessageRefused, match="refused"):
        await sealed_to(attackers)
    playing = Playing(opening=await ticketed(room, kept, session), expect=kept.expect)
    with pytest.raises(MessageRefused, match="refused"):
        await client.play_message(await room.desk.alone(RtpPhone()), playing)
