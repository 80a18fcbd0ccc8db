"""The worker's memory, read as root: audio, message keys and PINs are there while they are needed.

Each is found first, while it must be there: else finding nothing afterwards would prove nothing.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from media.client import (
    Played,
    Playing,
    Recorded,
    Recording,
    SecretEntered,
    SecretEntry,
    Stored,
    Ticketed,
)
from storage.keyholder import acts
from storage.keyholder.protocol import AskTicket, Opened, Origin, Perform, Proof, Ticket
from storage.keyholder.records import KeyRow
from storage.keyholder.slots import open_deposit_slot
from tests.support.keyholder import evidence
from tests.support.mailroom import Mailroom, mailroom
from tests.support.rtp_phone import RtpPhone

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another's memory")
WINDOW = 24
"""Octets of audio in a row that are nobody else's."""


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path) as made:
        yield made


def memory_of(pid: int) -> Iterator[bytes]:
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" not in rights or "[vvar" in line:
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except (OSError, ValueError):
                continue


async def found(room: Mailroom, needles: dict[str, bytes]) -> set[str]:
    assert room.worker.process is not None
    pid = room.worker.process.pid

    def search() -> set[str]:
        seen = set()
        for part in memory_of(pid):
            seen |= {name for name, needle in needles.items() if needle in part}
        return seen

    return await asyncio.to_thread(search)


async def say(phone: RtpPhone, frames: list[bytes]) -> None:
    for frame in frames:
        phone.send(frame)
        await asyncio.sleep(0.02)


def audio(frames: list[bytes]) -> dict[str, bytes]:
    """Some of them, as all memory is searched for each, and the last, which nothing comes after
    to cover a copy of it. Of each two places: where a packet lies over the end of one of the
    player's frames, one of them is whole."""
    some = {*range(0, len(frames), 10), len(frames) - 1}
    return {
        f"frame {n} at {at}": frames[n][at : at + WINDOW] for n in sorted(some) for at in (40, 110)
    }


async def key_of(room: Mailroom, told: Recorded) -> bytes:
    row = room.house.core.store.get(KeyRow, room.signed.id)
    assert row is not None
    return bytes(open_deposit_slot(row.signed, row.private, told.content, told.slot))


async def test_nothing_of_a_message_stays_after_hang_up(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    frames = [secrets.token_bytes(160) for _ in range(150)]
    needles = audio(frames)
    talking = asyncio.create_task(say(phone, frames))
    started = await client.record(leg, Recording(seal=room.deposit(), beep=False))
    await room.desk.event(Stored)
    during: set[str] = set()
    while not during and not talking.done():  # what is sealed is wiped, half a second at a time
        during = await found(room, needles)
    await talking
    await client.stop_recording(leg)
    told = await room.desk.event(Recorded)
    key = {"key": await key_of(room, told)}
    reviewable = await found(room, key)
    await client.drop(leg)
    after = await found(room, needles | key)

    assert during, "the second being recorded is there"
    assert reviewable == {"key"}, "for a review"
    assert after == set(), (len(after), sorted(after)[:5])
    assert started.slot == told.slot

    kept = await room.adopt(told)
    hearer = RtpPhone()
    listening = await room.desk.alone(hearer, "later")
    await room.play(listening, kept)
    hearer.listen(2.0, until=10)
    await client.pause(listening)
    playing: set[str] = set()
    for _ in range(8):  # it may have come to its end before it stood still
        playing |= await found(room, needles | key)
        if len(playing) > 1:
            break
        await client.restart(listening)
        await client.pause(listening)
    await client.resume(listening)
    await room.desk.event(Played, seconds=60)
    await client.drop(listening)
    after = await found(room, needles | key)

    assert "key" in playing
    assert len(playing) > 1
    assert after == set(), (len(after), sorted(after)[:5])


@pytest.fixture
async def signing_in(open_path: Path) -> AsyncIterator[Mailroom]:
    """Whose legs draw what they vouch with."""
    async with mailroom(open_path, binding=b"") as made:
        yield made


async def test_a_pin_is_gone_once_sealed_and_what_a_leg_vouches_with_when_it_ends(
    signing_in: Mailroom,
) -> None:
    """The binding: a stolen session opens nothing without it."""
    room, phone, client = signing_in, RtpPhone(), signing_in.desk.client
    told, key = await left(room)
    kept = await room.adopt(told)
    leg = await room.desk.alone(phone, "listener")
    pin, opened = await signed_in(room, phone, leg)
    session = room.house.core.sessions.find(opened.session, room.house.core.clock(), activity=True)
    assert session is not None
    sought = {"binding": bytes(session.binding), "pin": pin.encode(), "key": key}
    assert await found(room, sought) == {"binding"}, "it vouches for every opening to come"
    ticket = await room.house.ask(AskTicket(opened.session, kept.id, evidence()), Ticket)
    opening = Ticketed(kept.content, ticket.ticket, kept.slot)
    await client.play_message(leg, Playing(opening=opening, expect=kept.expect))
    assert await found(room, sought) == {"binding", "key"}

    await client.drop(leg)

    assert await found(room, sought) == set()


async def left(room: Mailroom) -> tuple[Recorded, bytes]:
    """A message of a second, and its key."""
    phone = RtpPhone()
    leg = await room.desk.alone(phone, "caller")
    await room.desk.client.record(leg, Recording(seal=room.deposit(), beep=False))
    await say(phone, [secrets.token_bytes(160) for _ in range(60)])
    await room.desk.client.stop_recording(leg)
    told = await room.desk.event(Recorded)
    await room.desk.client.drop(leg)
    return told, (await key_of(room, told))


async def signed_in(room: Mailroom, phone: RtpPhone, leg: str) -> tuple[str, Opened]:
    """With a PIN that is set before and typed here."""
    pin = "739154820617"
    await room.house.done(room.doctor, acts.SetPin(("1001",)), new_pin=pin)
    await room.desk.client.enter_secret(leg, SecretEntry())
    for digit in pin:
        phone.press(int(digit))
    phone.press(11)
    assert (await room.desk.event(SecretEntered)).outcome == "complete"
    assert await found(room, {"pin": pin.encode()}) == {"pin"}
    act = acts.PhoneLogIn(room.doctor.id)
    sealed = await room.desk.client.seal_secrets(leg, acts.canonical(act))
    proof = Proof(sealed, Origin("desk", "10.0.0.1"), b"")
    return pin, await room.house.ask(Perform(act, proof, evidence()), Opened)
