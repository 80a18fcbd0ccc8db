"""Recording and playing through a real worker, a real key holder's edge and real SRTP."""

import asyncio
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from media.client import (
    Asker,
    Deposit,
    Digit,
    Fed,
    Greeting,
    Interrupted,
    MessageRefused,
    Misuse,
    Played,
    Player,
    Playing,
    Recorded,
    Recording,
    Resealing,
    Review,
    Silence,
    Stored,
    Ticketed,
    Whole,
)
from media.worker import vault
from media.worker.codecs import g722
from media.worker.codecs.g711 import decode_ulaw
from storage.keyholder import acts, slots, vouchers
from storage.keyholder.protocol import KeyList, PublicKeys
from storage.sealed import primitives
from storage.sealed.file import MAX_SEALED, SEGMENT_MS, SealedFile, inspect
from storage.sealed.file import Whole as WholeFile
from tests.support.keyholder import BINDING
from tests.support.mailroom import FRAME, Kept, Mailroom, Pace, hush, mailroom, speak
from tests.support.rtp_phone import Heard, RtpPhone
from tests.support.tone import power, seconds_of

ENOUGH = 0.25
"""Seconds of a tone in a second and more: what is decoded wrongly has none. More is not asked
of a phone that may be held up."""
G722 = ((9, "G722/8000"), (101, "telephone-event/8000"))
PCMA = ((8, "PCMA/8000"), (101, "telephone-event/8000"))


@pytest.fixture
async def room(open_path: Path) -> AsyncIterator[Mailroom]:
    async with mailroom(open_path) as made:
        yield made


async def recorded(
    room: Mailroom, leg: str, phone: RtpPhone, seconds: int = 2, **how: object
) -> Recorded:
    """A message of about so many seconds, ended by `#`."""
    talking = asyncio.create_task(speak(phone, seconds + 3))
    recording = Recording(**{"seal": room.deposit(), "beep": False, **how})  # type: ignore[arg-type]
    await room.desk.client.record(leg, recording)
    for _ in range(2 * seconds):
        await room.desk.event(Stored)
    phone.press(11)
    told = await room.desk.event(Recorded)
    talking.cancel()
    phone.take()
    return told


def voice(heard: list[Heard]) -> list[int]:
    return list(decode_ulaw(b"".join(h.payload for h in heard if h.payload_type == 0)))


async def heard_of(room: Mailroom, phone: RtpPhone) -> tuple[Played, list[int]]:
    played = await room.desk.event(Played)
    return played, voice(phone.take())


async def fault_of(asked: object) -> str:
    with pytest.raises(MessageRefused) as refused:
        await asked  # type: ignore[misc]
    return refused.value.fault


async def test_what_is_said_after_the_beep_is_heard_again_by_the_owner(room: Mailroom) -> None:
    phone = RtpPhone()
    leg = await room.desk.alone(phone)
    deposit = room.deposit()
    talking = asyncio.create_task(speak(phone, 6.0))
    started = await room.desk.client.record(leg, Recording(seal=deposit))
    assert (started.content, started.codec, started.key) == (deposit.content, "pcmu", deposit.key)
    first = await room.desk.event(Stored)
    assert (first.segments, first.milliseconds, first.is_low) == (1, SEGMENT_MS, False)
    beep = voice(phone.take())
    assert power(beep[:2400], 8000, 1000) > 0.9
    phone.press(11)
    told = await room.desk.event(Recorded)
    talking.cancel()

    assert (told.cause, told.digit, told.is_complete) == ("digit", "#", True)
    file = (room.messages / f"{told.content.hex()}.sealed").read_bytes()
    assert inspect(file).digest == told.digest
    kept = await room.adopt(told)
    phone.take()
    opened = await room.play(leg, kept)
    assert opened.milliseconds == told.milliseconds
    played, samples = await heard_of(room, phone)
    assert (played.fault, played.milliseconds) == ("", told.milliseconds)
    assert seconds_of(samples, 8000, 700) > ENOUGH
    heard = seconds_of(samples, 8000, 700)
    assert heard - 0.1 < told.milliseconds / 1000 < heard + 0.1 + phone.missed * FRAME


async def test_each_codec_is_kept_as_it_came_and_heard_in_that_of_the_leg(room: Mailroom) -> None:
    phone, hearer = RtpPhone(formats=G722), RtpPhone()
    leg, listening = await room.desk.alone(phone, "one"), await room.desk.alone(hearer, "two")

    async def talk() -> None:
        wave = [int(8000 * math.sin(0.3 * n)) for n in range(16_000 * 3)]
        octets = g722.encode(wave)
        pace = Pace(phone)
        for start in range(0, len(octets), 160):
            phone.send(octets[start : start + 160], payload_type=9)
            await pace.frame()

    talking = asyncio.create_task(talk())
    started = await room.desk.client.record(leg, Recording(seal=room.deposit(), beep=False))
    assert started.codec == "g722"
    for _ in range(2):
        await room.desk.event(Stored)
    await room.desk.client.stop_recording(leg)
    told = await room.desk.event(Recorded)
    talking.cancel()
    assert told.cause == "stopped"

    kept = await room.adopt(told)
    await room.play(listening, kept)
    played, samples = await heard_of(room, hearer)
    assert played.fault == ""
    assert seconds_of(samples[800:], 8000, 0.3 * 16_000 / 6.283185) > ENOUGH
    phone.take()
    await room.play(leg, kept)
    await room.desk.event(Played)
    own = g722.decode(b"".join(h.payload for h in phone.take()))
    assert seconds_of(list(own)[1600:], 16_000, 0.3 * 16_000 / 6.283185) > ENOUGH


async def test_the_two_laws_of_g711_are_turned_into_one_another(room: Mailroom) -> None:
    hearer = RtpPhone(formats=PCMA)
    phone = RtpPhone(formats=((0, "PCMU/8000"), (8, "PCMA/8000"), (101, "telephone-event/8000")))
    leg, listening = await room.desk.alone(phone, "one"), await room.desk.alone(hearer, "two")
    talking = asyncio.create_task(speak(phone, 5))
    await room.desk.client.record(leg, Recording(seal=room.deposit(), beep=False))
    await room.desk.event(Stored)
    phone.send(b"\xd5" * 160, payload_type=8)  # one packet in the other law
    phone.press(11)
    told = await room.desk.event(Recorded)
    talking.cancel()
    assert told.codec == "pcmu"

    await room.play(listening, await room.adopt(told))
    await room.desk.event(Played)
    packets = hearer.take()
    assert {h.payload_type for h in packets} == {8}
    assert len(packets) >= -(-told.milliseconds // 20), "each frame is sent"


async def test_a_message_is_paused_sought_and_begun_again(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    told = await recorded(room, leg, phone, 3)
    kept, missed = await room.adopt(told), phone.missed * FRAME

    await room.play(leg, kept, from_ms=2500)
    played, samples = await heard_of(room, phone)
    short = seconds_of(samples, 8000, 700)
    assert 0.3 - missed < short < told.milliseconds / 1000 - 2.4

    await room.play(leg, kept)
    await client.pause(leg)
    phone.take()
    await asyncio.to_thread(phone.listen, 60.0, until=25)
    assert power(voice(phone.heard[-20:]), 8000, 700) < 0.1
    await client.seek(leg, 60_000)
    await client.resume(leg)
    played = await room.desk.event(Played)
    assert played.milliseconds >= 3000

    await room.play(leg, kept)
    phone.take()
    await asyncio.to_thread(phone.listen, 60.0, until=50)
    await client.restart(leg)
    await client.seek(leg, -10_000)
    await room.desk.event(Played)
    assert seconds_of(voice(phone.take()), 8000, 700) > 2.9 - missed
    with pytest.raises(Misuse):
        await client.pause(leg)


async def test_what_was_just_recorded_is_reviewed_until_it_is_released(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    told = await recorded(room, leg, phone, 1)
    review = Playing(opening=Review(told.content), expect=Whole(told.digest))

    await room.key_holder_away()
    for _ in range(2):
        await client.play_message(leg, review)
        played, samples = await heard_of(room, phone)
        assert played.fault == ""
        assert seconds_of(samples, 8000, 700) > ENOUGH
    await client.release(leg)

    assert await fault_of(client.play_message(leg, review)) == "slot"


async def test_a_greeting_is_recorded_and_played_under_its_own_key(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    greeting = Greeting(os.urandom(16), os.urandom(32))
    told = await recorded(room, leg, phone, 1, seal=greeting)
    assert (told.slot, told.key) == (b"", b"")

    await client.play_message(leg, Playing(opening=greeting, expect=Whole(told.digest)))
    assert (await room.desk.event(Played)).fault == ""
    other = Greeting(greeting.content, os.urandom(32))
    wrong = Playing(opening=other, expect=Whole(told.digest))
    assert await fault_of(client.play_message(leg, wrong)) == "altered"


async def test_a_recording_ends_at_hang_up_silence_and_limit(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    talking = asyncio.create_task(hush(phone, 10))
    quiet = Recording(seal=room.deposit(), beep=False, silence_ms=2000)
    await client.record(leg, quiet)
    assert await fault_of(client.record(leg, quiet)) == "busy"
    told = await room.desk.event(Recorded)
    assert (told.cause, told.is_complete) == ("silence", True)
    await client.record(leg, Recording(seal=room.deposit(), beep=False, limit_ms=1500))
    told = await room.desk.event(Recorded)
    assert told.cause == "limit"
    assert told.milliseconds >= 1400
    await client.record(leg, Recording(seal=room.deposit(), beep=False))
    await room.desk.event(Stored)
    await client.drop(leg)
    told = await room.desk.event(Recorded)
    talking.cancel()

    assert (told.cause, told.is_complete) == ("hang-up", True)
    assert inspect((room.messages / f"{told.content.hex()}.sealed").read_bytes()).is_complete


async def test_a_phone_that_sends_nothing_is_silence(room: Mailroom) -> None:
    leg = await room.desk.alone(RtpPhone())
    started = await room.desk.client.record(
        leg, Recording(seal=room.deposit(), beep=False, silence_ms=1000)
    )
    assert started.codec == "pcmu"
    assert (await room.desk.event(Recorded)).cause == "silence"


async def test_nothing_is_recorded_for_a_key_that_nobody_signed(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    forged = msgspec.structs.replace(room.signed, public=room.signed.public[::-1])
    bad = Deposit(os.urandom(16), str(room.mailbox), msgspec.msgpack.encode(forged))

    assert await fault_of(client.record(leg, Recording(seal=bad))) == "key"

    assert list(room.messages.iterdir()) == []
    with pytest.raises(MessageRefused):
        short = Deposit(b"short", str(room.mailbox), msgspec.msgpack.encode(room.signed))
        await client.record(leg, Recording(seal=short))


async def test_a_content_is_never_recorded_twice(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    told = await recorded(room, leg, phone, 1)
    again = Recording(seal=room.deposit(told.content))

    assert await fault_of(client.record(leg, again)) == "disk-error"

    await room.play(leg, await room.adopt(told))
    assert (await room.desk.event(Played)).fault == ""


async def test_what_does_not_open_says_why(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    told = await recorded(room, leg, phone, 2)
    kept = await room.adopt(told)
    file = room.messages / f"{told.content.hex()}.sealed"
    data = file.read_bytes()

    async def fault(change: Kept | None = None, wrong: bytes | None = None) -> str:
        file.write_bytes(data if wrong is None else wrong)
        return await fault_of(room.play(leg, change or kept))

    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    assert await fault(wrong=bytes(flipped)) == "altered"
    assert await fault(wrong=data[:-40]) == "truncated"
    assert await fault(wrong=b"no such file") == "header"
    other = Kept(kept.id, kept.content, kept.slot, Whole(bytes(32)))
    assert await fault(other) == "digest"
    cut = Kept(kept.id, kept.content, kept.slot, Interrupted(2, told.digest))
    assert await fault(cut) == "unfinished"
    assert await fault(Kept(kept.id, kept.content, b"slot", kept.expect)) == "refused"
    spent = await room.ticketed(kept)
    file.write_bytes(data)
    playing = Playing(opening=spent, expect=kept.expect)
    await client.play_message(leg, playing)
    assert await fault_of(client.play_message(leg, playing)) == "refused"
    held = await room.ticketed(kept)
    await room.key_holder_away()
    away = Playing(opening=held, expect=kept.expect)
    assert await fault_of(client.play_message(leg, away)) == "unavailable"
    await room.key_holder_back()
    file.unlink()
    assert await fault_of(room.play(leg, kept)) == "missing"
    await client.feed(leg, Player(sounds=(Silence(20),)))
    assert await room.desk.event(Fed)


async def test_a_forward_is_sealed_anew_to_the_other_mailbox(room: Mailroom) -> None:
    phone, client, house = RtpPhone(), room.desk.client, room.house
    leg = await room.desk.alone(phone)
    told = await recorded(room, leg, phone, 2)
    kept = await room.adopt(told)
    from uuid import uuid4

    other = uuid4()
    await house.done(room.admin, acts.OpenTenure(other, uuid4(), room.doctor.id))
    signed = (await house.ask(PublicKeys("deposit", other), KeyList)).keys[0]
    to = Deposit(os.urandom(16), str(other), msgspec.msgpack.encode(signed))

    done = await client.reseal(
        Resealing(opening=await room.ticketed(kept), expect=kept.expect, to=to, leg=leg)
    )

    assert (done.milliseconds, done.codec) == (told.milliseconds, "pcmu")
    file = (room.messages / f"{done.content.hex()}.sealed").read_bytes()
    assert inspect(file).digest == done.digest
    from storage.keyholder.records import KeyRow

    row = house.core.store.get(KeyRow, signed.id)
    assert row is not None
    key = slots.open_deposit_slot(row.signed, row.private, done.content, done.slot)
    assert len(SealedFile(file, key, done.content, WholeFile(done.digest))) == done.segments
    left = {each.content: each for each in await client.left_behind()}
    assert left[done.content].mailbox == str(other)
    assert left[done.content].is_complete


async def test_a_command_hears_through_a_key_of_its_own(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    kept = await room.adopt(await recorded(room, leg, phone, 1))
    pair = primitives.generate_pair(primitives.Suite.HYBRID)
    voucher = vouchers.of_command(BINDING, kept.id, pair.suite, pair.public)
    asker = Asker(os.urandom(16), pair.suite, pair.public, voucher)

    done = await client.reseal(
        Resealing(opening=await room.ticketed(kept), expect=kept.expect, to=asker)
    )

    key = slots.open_asker_slot(pair.suite, pair.private, done.content, done.slot)
    file = (room.messages / f"{done.content.hex()}.sealed").read_bytes()
    read = SealedFile(file, key, done.content, WholeFile(done.digest))
    space = bytearray(MAX_SEALED)
    heard = b"".join(bytes(space[: read.open(n, space)]) for n in range(len(read)))
    assert seconds_of(list(decode_ulaw(heard)), 8000, 700) > ENOUGH
    again = Resealing(
        opening=Ticketed(kept.content, b"spent", kept.slot), expect=kept.expect, to=asker
    )
    assert await fault_of(client.reseal(again)) == "refused"
    await client.remove([done.content])
    assert not list(room.messages.glob(f"{done.content.hex()}*"))


def test_a_segment_is_as_long_for_the_worker_as_for_the_file() -> None:
    assert vault.SEGMENT_MS == SEGMENT_MS


async def test_kill_9_loses_at_most_the_last_second(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    talking = asyncio.create_task(speak(phone, 8))
    started = await client.record(leg, Recording(seal=room.deposit(), beep=False))
    stored = [await room.desk.event(Stored) for _ in range(5)]
    await room.worker.kill()
    talking.cancel()
    file = room.messages / f"{started.content.hex()}.sealed"
    with file.open("ab") as torn:
        torn.write(os.urandom(700))

    await room.worker.start()
    await client.close()
    await client.start()
    [left] = await client.left_behind()

    assert (left.content, left.is_complete, left.kind) == (started.content, False, "deposit")
    assert left.segments >= stored[-1].segments
    assert (left.slot, left.key, left.started) == (started.slot, started.key, started.started)
    told = Recorded(
        leg=leg, cause="disk-error", octets=0, slot=left.slot, key=left.key, codec=left.codec,
        content=left.content, segments=left.segments, digest=left.digest, milliseconds=0, started=0,
    )  # fmt: skip
    kept = await room.adopt(told)
    hearer = RtpPhone()
    listening = await room.desk.alone(hearer, "later")
    await room.play(listening, kept)
    played, samples = await heard_of(room, hearer)
    assert (played.fault, played.milliseconds) == ("", SEGMENT_MS * left.segments)
    assert seconds_of(samples, 8000, 700) > ENOUGH
    assert [each.segments for each in await client.left_behind()] == [left.segments]
    await client.settle([left.content])
    assert await client.left_behind() == ()


async def test_a_worker_that_is_stopped_finishes_what_it_records(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    talking = asyncio.create_task(speak(phone, 8))
    started = await client.record(leg, Recording(seal=room.deposit(), beep=False))
    await room.desk.event(Stored)
    assert await client.left_behind() == (), "it is still being recorded"

    await room.worker.stop()
    talking.cancel()

    found = inspect((room.messages / f"{started.content.hex()}.sealed").read_bytes())
    assert found.is_complete
    assert found.segments >= 2


async def test_the_disk_is_watched(open_path: Path) -> None:
    async with mailroom(open_path, messages_low=1 << 24, messages_reserve=1 << 23) as room:
        leg = await room.desk.alone(RtpPhone())
        spool = await room.desk.client.spool()
        assert (spool.is_low, spool.is_full, spool.recordings) == (True, True, 0)
        asked = Recording(seal=room.deposit())
        assert await fault_of(room.desk.client.record(leg, asked)) == "disk-full"


async def test_digits_are_told_while_recording_but_for_those_that_end_it(room: Mailroom) -> None:
    phone, client = RtpPhone(), room.desk.client
    leg = await room.desk.alone(phone)
    await client.digits(leg, report=True)
    talking = asyncio.create_task(speak(phone, 8))
    await client.record(leg, Recording(seal=room.deposit(), beep=False, stop="#0"))
    phone.press(5)
    assert (await room.desk.event(Digit)).digit == "5"
    await room.desk.event(Stored)
    phone.press(0)
    told = await room.desk.event(Recorded)
    talking.cancel()
    assert told.digit == "0"
    phone.press(7)
    assert (await room.desk.event(Digit)).digit == "7"
