"""Phones of our own through real worker processes."""

import asyncio
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from media.client import (
    Digit,
    Ended,
    Fed,
    Latched,
    LegGone,
    LegStats,
    MediaFull,
    MediaUnavailable,
    Misuse,
    OfferRefused,
    Place,
    Player,
    Prompt,
    Silence,
    Silent,
    StoredCall,
    Tone,
)
from media.prompts import prepare
from media.worker.rtcp import ReportBlock, Sent, compound, reports
from pbx.processes.hardening import put_ahead
from tests.support.media_desk import Desk, place, samples, talk
from tests.support.media_worker import ROOT, WorkerProcess
from tests.support.rtp_phone import Heard, RtpPhone, context
from tests.support.tone import power

GCM, CM = "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with WorkerProcess(tmp_path / "worker", silence_limit=1.0) as worker:
        desk = Desk(worker)
        await desk.client.start()
        yield desk
        await desk.close()


def has_tone(heard: list[Heard], hertz: float) -> bool:
    return power(samples(heard[5:]), 8000, hertz) > 0.8


def steps(heard: list[Heard]) -> set[int]:
    return {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(heard)}


async def until(phone: RtpPhone, packets: int, seconds: float = 60.0) -> list[Heard]:
    """What the phone hears until it has heard so many packets."""
    heard: list[Heard] = []
    async with asyncio.timeout(seconds):
        while len(heard) < packets:
            await asyncio.sleep(0.005)
            heard += phone.take()
    return heard


@pytest.mark.parametrize(("one", "other"), [(GCM, CM), ("AEAD_AES_128_GCM", GCM)])
async def test_a_tone_passes_both_ways_between_different_suites(
    desk: Desk, one: str, other: str
) -> None:
    a, b = RtpPhone(one), RtpPhone(other)
    caller, callee = await desk.call(a, b)

    at_a, at_b = await talk(a, b, 40)

    assert len(at_a) == len(at_b) == 40
    assert has_tone(at_a, 1000)
    assert has_tone(at_b, 440)
    assert a.refused == b.refused == 0
    stats = await desk.client.drop(caller)
    assert (stats.suite, stats.received, stats.sent) == (one, 40, 40)
    assert (await desk.client.drop(callee)).suite == other


async def test_ipv4_and_ipv6_legs_mix(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM, host="::1")
    await desk.call(a, b)

    at_a, at_b = await talk(a, b, 20)

    assert has_tone(at_a, 1000)
    assert has_tone(at_b, 440)


async def test_the_sequence_rolls_over_and_nobody_notices(desk: Desk) -> None:
    a, b = RtpPhone(sequence=65_520), RtpPhone(GCM, sequence=65_510)
    caller, _ = await desk.call(a, b)

    at_a, at_b = await talk(a, b, 40)

    assert len(at_a) == len(at_b) == 40
    assert steps(at_a) == steps(at_b) == {1}
    assert (await desk.client.stats(caller)).lost == 0


async def test_a_nat_that_changes_the_port_costs_less_than_a_second(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    caller, _ = await desk.call(a, b)
    await talk(a, b, 10)

    a.move()
    at_a, at_b = await talk(a, b, 60)

    assert 60 - len(at_b) <= 50, "a second of packets"
    assert len(at_a) >= 10
    assert (await desk.client.stats(caller)).relatches == 1


async def test_nothing_is_sent_to_an_address_that_signalling_does_not_come_from(
    desk: Desk,
) -> None:
    victim = RtpPhone()
    desk.phones.append(victim)
    elsewhere = Place(local="127.0.0.1", peer="127.0.0.2")
    leg = await desk.client.open("call", elsewhere, desk.told.put_nowait)
    await desk.client.take_offer(leg, victim.sdp())
    victim.read(await desk.client.make_answer(leg))
    await desk.client.feed(leg, Player(sounds=(Tone("beep"),)))
    await desk.event(Fed)

    assert victim.take() == []
    victim.send()
    await desk.event(Latched)
    await desk.client.feed(leg, Player(sounds=(Tone("beep"),)))
    assert await until(victim, 20)


async def test_a_site_may_be_trusted_with_early_media(tmp_path: Path) -> None:
    async with WorkerProcess(tmp_path / "w", early_networks=["127.0.0.0/8"]) as worker:
        desk = Desk(worker)
        await desk.client.start()
        phone = RtpPhone()
        desk.phones.append(phone)
        elsewhere = Place(local="127.0.0.1", peer="127.0.0.2")
        leg = await desk.client.open("call", elsewhere, desk.told.put_nowait)
        await desk.client.take_offer(leg, phone.sdp())
        phone.read(await desk.client.make_answer(leg))
        await desk.client.feed(leg, Player(sounds=(Tone("beep"),)))

        assert await until(phone, 20)
        await desk.close()


async def test_one_stream_goes_on_through_tone_silence_join_and_another_join(desk: Desk) -> None:
    a, b, c = RtpPhone(), RtpPhone(GCM), RtpPhone()
    caller = await desk.caller(a)
    first = await desk.callee(b, caller)
    second = await desk.callee(c, caller)
    a.read(await desk.client.make_answer(caller, like=first))
    await desk.client.feed(caller, Player(sounds=(Tone("beep"), Silence(100))))
    await desk.event(Fed)
    await desk.client.join(caller, first)
    await talk(a, b, 10)
    await desk.client.join(caller, second)
    await talk(a, c, 10)
    await desk.client.feed(caller, Player(sounds=(Tone("ringback"),), times=0))
    await until(a, 10)
    await desk.client.part(caller)

    assert len({h.ssrc for h in a.heard}) == 1
    assert steps(a.heard) == {1}
    assert a.refused == 0
    rises = [(y.timestamp - x.timestamp) & 0xFFFFFFFF for x, y in pairwise(a.heard)]
    assert all(0 < rise < 8000 for rise in rises)
    assert power(samples(a.heard[:14]), 8000, 1000) > 0.8  # the beep
    b.take()
    a.send_tone(440)
    await asyncio.sleep(0.05)
    assert b.take() == c.take() == []  # parted: nobody hears it


@pytest.mark.parametrize(
    ("format_", "codec"),
    [((0, "PCMU/8000"), "pcmu"), ((8, "PCMA/8000"), "pcma"), ((9, "G722/8000"), "g722")],
)
async def test_prompts_are_played_in_the_legs_codec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: tuple[int, str], codec: str
) -> None:
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / f"goodbye.{codec}").write_bytes(bytes(range(160)) * 3)
    monkeypatch.setenv("TEST_PROMPTS", str(prompts))
    async with WorkerProcess(tmp_path / "w") as worker:
        desk = Desk(worker)
        await desk.client.start()
        phone = RtpPhone(formats=(format_,))
        leg = await desk.alone(phone)
        await desk.client.feed(leg, Player(sounds=(Prompt("goodbye"),), times=2))
        await desk.event(Fed)

        heard = await until(phone, 6)
        assert [h.payload for h in heard] == [bytes(range(160))] * 6
        assert {h.payload_type for h in heard} == {format_[0]}
        await desk.client.feed(leg, Player(sounds=(Prompt("nobody-recorded-this"),)))
        assert len(await until(phone, 75)) == 75  # the tone that stands for it
        await desk.event(Fed)

        (prompts / f"goodbye.{codec}").write_bytes(b"\7" * 160)
        assert worker.process is not None and worker.process.stdout is not None
        worker.process.send_signal(signal.SIGHUP)
        assert await worker.process.stdout.readline() == b"reloaded\n"
        await desk.client.feed(leg, Player(sounds=(Prompt("goodbye"),)))
        assert (await until(phone, 1))[-1].payload == b"\7" * 160
        await desk.close()


async def test_the_echo_test_sends_back_what_it_hears(desk: Desk) -> None:
    phone = RtpPhone()
    leg = await desk.alone(phone)
    await desk.client.join(leg, leg)

    for _ in range(20):
        phone.send_tone(440)
        await asyncio.sleep(0.02)

    assert has_tone(await until(phone, 15), 440)


async def test_digits_are_told_once_and_not_passed_on_while_they_are(desk: Desk) -> None:
    other = ((0, "PCMU/8000"), (120, "telephone-event/8000"))
    a, b = RtpPhone(), RtpPhone(GCM, formats=other)
    caller, _ = await desk.call(a, b)
    a.press(5)
    assert {h.payload_type for h in await until(b, 7)} == {120}

    await desk.client.digits(caller, report=True)
    a.press(11)
    told = await desk.event(Digit)
    a.press(0)

    assert (told.leg, told.digit, told.milliseconds) == (caller, "#", 80)
    assert (await desk.event(Digit)).digit == "0"
    assert b.take() == []
    await desk.client.digits(caller, report=False)
    a.press(1)
    assert await until(b, 7)


async def test_rtcp_ends_at_the_leg_and_yields_round_trip_loss_and_opinion(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    caller, _ = await desk.call(a, b)
    await talk(a, b, 10)
    ssrc = a.heard[0].ssrc
    block = ReportBlock(ssrc, 26, 1, a.heard[-1].sequence, 80, 0, 0)
    a.send_report(compound(a.ssrc, "phone", time.time(), Sent(a.timestamp, 10, 1600), (block,)))

    report = await asyncio.to_thread(a.listen_for_reports, 9.0)

    assert report is not None
    (ours,) = reports(report)
    assert ours.ssrc == ssrc
    assert ours.sent is not None  # a sender report: we did send
    assert ours.blocks[0].ssrc == a.ssrc
    assert ours.blocks[0].lost == 0
    assert b"exam-room-2" in report
    answer = ReportBlock(ssrc, 0, 1, a.heard[-1].sequence, 80, ours.sent, 0)
    a.send_report(compound(a.ssrc, "phone", time.time(), None, (answer,)))
    stats = await _when(desk, caller, lambda s: s.rtcp_received == 2)
    assert stats.round_trip_ms is not None and stats.round_trip_ms < 1000
    assert stats.lost_there == 1
    assert stats.jitter_there_ms == 10
    assert stats.mos is not None and 1 < stats.mos < 4.5
    assert stats.rtcp_sent >= 1


async def _when(desk: Desk, leg: str, ready: Callable[[LegStats], bool]) -> LegStats:
    async with asyncio.timeout(60):
        while not ready(stats := await desk.client.stats(leg)):  # noqa: ASYNC110 - asks a process
            await asyncio.sleep(0.01)
    return stats


async def test_rtcp_shares_the_port_where_the_phone_asks_for_it(desk: Desk) -> None:
    phone = RtpPhone(muxed=True)
    leg = await desk.alone(phone)
    phone.send()
    await desk.event(Latched)
    report = compound(phone.ssrc, "phone", time.time(), None, ())
    phone.throw(phone.outbound.protect_rtcp(report))
    phone.throw(b"\x80\xc8" + bytes(30))  # the plaintext report that some phones begin with

    stats = await _when(desk, leg, lambda s: s.rtcp_received == 1 and s.rtcp_refused == 1)

    assert stats.junk == stats.unauthenticated == 0


async def test_a_key_offered_again_keeps_its_context_and_a_new_one_is_a_rekey(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    caller, callee = await desk.call(a, b)
    await talk(a, b, 5)

    await desk.client.take_offer(caller, a.sdp())
    await desk.client.make_answer(caller, like=callee)
    at_a, at_b = await talk(a, b, 5)
    assert (len(at_a), len(at_b)) == (5, 5)
    assert (await desk.client.stats(caller)).rekeys == 0

    a.key = secrets.token_bytes(30)
    a.outbound = context(a.suite, a.key, inbound=False)
    await desk.client.take_offer(caller, a.sdp())
    await desk.client.make_answer(caller, like=callee)
    at_a, at_b = await talk(a, b, 5)
    assert (len(at_a), len(at_b)) == (5, 5)
    assert steps(b.heard) == {1}
    assert (await desk.client.stats(caller)).rekeys == 1


async def test_on_hold_nothing_is_sent_and_after_it_the_stream_goes_on(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    caller, callee = await desk.call(a, b)
    await talk(a, b, 5)
    await desk.client.take_offer(caller, a.sdp("inactive"))
    assert b"a=inactive" in await desk.client.make_answer(caller, like=callee)
    at_a, _ = await talk(a, b, 5)
    assert at_a == []

    await desk.client.take_offer(caller, a.sdp())
    await desk.client.make_answer(caller, like=callee)
    at_a, _ = await talk(a, b, 5)

    assert len(at_a) == 5
    assert a.refused == 0


async def test_a_leg_that_falls_silent_is_told(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    await desk.call(a, b)

    silent = await desk.event(Silent)

    assert silent.seconds >= 1.0


async def test_strangers_at_20000_packets_a_second_do_not_disturb_the_tone(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    for worker in desk.workers:
        assert worker.process is not None
        put_ahead(worker.process.pid)  # as `pbx serve` does
    caller, _ = await desk.call(a, b)
    wire = a.send()
    await until(b, 1)
    assert a.there is not None
    flood = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.flood"),
        *(str(a.there[1]), str(a.there[1] + 1), "20000", wire.hex()),
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert flood.stdout is not None
        await flood.stdout.readline()
        at_a, at_b = await talk(a, b, 150)
    finally:
        flood.kill()
        await flood.wait()

    assert (len(at_a), len(at_b)) == (150, 150)  # 0 lost; 0.1 % would be none of 150
    assert has_tone(at_a, 1000)
    assert has_tone(at_b, 440)
    stats = await desk.client.stats(caller)
    assert stats.rtcp_refused > 1000  # the RTCP socket has not latched: it saw them all
    assert stats.unauthenticated + stats.junk + stats.replayed < 1000  # the RTP one has


async def test_a_stranger_before_the_phone_does_not_take_its_place(desk: Desk) -> None:
    phone = RtpPhone()
    leg = await desk.alone(phone)
    assert phone.there is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for octets in (b"\0", b"\x80" * 180, b"\x16" * 60):
            stranger.sendto(octets, phone.there)
        await desk.client.join(leg, leg)
        phone.send()
        assert await until(phone, 1)
        stats = await desk.client.stats(leg)

    assert (stats.junk, stats.unauthenticated, stats.received) == (2, 1, 1)


async def test_a_killed_worker_ends_its_legs_and_no_others_and_is_used_again(
    tmp_path: Path,
) -> None:
    first, second = (WorkerProcess(tmp_path / str(n), n, workers=2) for n in (0, 1))
    second.config = first.config
    async with second:
        await first.start()
        desk = Desk(first, second)
        await desk.client.start()
        a, b, c, d = RtpPhone(), RtpPhone(), RtpPhone(), RtpPhone()
        doomed = await desk.call(a, b, "one")
        living = await desk.call(c, d, "two")
        assert {leg.split(".")[0] for leg in doomed + living} == {"0", "1"}
        assert {leg.split(".")[0] for leg in doomed} == {"0"}

        await first.kill()

        ended = [await desk.event(Ended) for _ in doomed]
        assert {(e.leg, e.cause) for e in ended} == {(leg, "worker") for leg in doomed}
        assert len((await talk(c, d, 5))[0]) == 5
        with pytest.raises(MediaUnavailable):
            await desk.client.stats(doomed[0])
        assert await desk.client.drop(doomed[0]) == LegStats()

        await first.start()
        async with asyncio.timeout(60):
            while not all(desk.client.workers().values()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        with pytest.raises(LegGone):
            await desk.client.stats(doomed[0])
        assert (await desk.call(a, b, "three"))[0].startswith("0.")
        await desk.close()
        await first.kill()


async def test_without_a_worker_there_is_no_leg(tmp_path: Path) -> None:
    desk = Desk(WorkerProcess(tmp_path))
    await desk.client.start(wait=0.05)

    with pytest.raises(MediaUnavailable):
        await desk.client.open("call", Place(local="127.0.0.1", peer=""), desk.told.put_nowait)
    await desk.close()


async def test_a_returning_exchange_finds_its_calls_and_snapshots(desk: Desk) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    legs = await desk.call(a, b)
    desk.client.store("call", b"sealed state")
    await desk.client.close()
    assert len((await talk(a, b, 5))[0]) == 5  # media flows without the exchange

    again = Desk(*desk.workers)
    await again.client.start()
    assert await again.client.calls() == [StoredCall("call", tuple(sorted(legs)), b"sealed state")]
    for leg in legs:
        again.client.adopt(leg, "call", again.told.put_nowait)
    again.client.store("call", b"newer")
    for leg in legs:
        assert (await again.client.drop(leg)).received == 5
    [ended] = await again.client.calls()
    assert (ended.legs, ended.snapshot, set(ended.figures)) == ((), b"newer", set(legs))
    again.client.forget(["call"])
    assert await again.client.calls() == []
    with pytest.raises(LegGone):
        again.client.store("call", b"late")
    await again.close()


async def test_ports_run_out_and_come_back(tmp_path: Path) -> None:
    async with WorkerProcess(tmp_path) as worker:
        await worker.stop()
        first = worker.config["first_port"]
        worker.config["last_port"] = first + 3
        await worker.start()
        desk = Desk(worker)
        await desk.client.start()
        where = Place(local="127.0.0.1", peer="127.0.0.1")
        legs = [await desk.client.open(str(n), where, desk.told.put_nowait) for n in range(2)]
        with pytest.raises(MediaFull):
            await desk.client.open("more", where, desk.told.put_nowait)
        await desk.client.drop(legs[0])
        assert await desk.client.open("more", where, desk.told.put_nowait)
        await desk.close()


async def test_a_thousand_legs_leave_nothing_behind(desk: Desk) -> None:
    process = desk.workers[0].process
    assert process is not None

    async def calls(count: int) -> None:
        for number in range(count):
            a, b = RtpPhone(), RtpPhone(GCM)
            legs = await desk.call(a, b, str(number))
            a.send()
            b.send()
            for leg in legs:
                await desk.client.drop(leg)
            a.close()
            b.close()
            desk.phones.clear()

    await calls(100)
    files, memory = _files(process.pid), _memory(process.pid)
    await calls(500)

    assert _files(process.pid) == files
    assert _memory(process.pid) - memory < 1_000_000
    assert await desk.client.calls() == []


def _files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_refusals_travel_with_their_reason(desk: Desk) -> None:
    phone = RtpPhone()
    desk.phones.append(phone)
    leg = await desk.client.open("call", place(phone), desk.told.put_nowait)

    with pytest.raises(OfferRefused, match="encryption is required") as refused:
        await desk.client.take_offer(leg, phone.sdp().replace(b"a=crypto", b"a=nothing"))
    assert (refused.value.status, refused.value.warning) == (488, 302)
    with pytest.raises(Misuse):
        await desk.client.join(leg, leg)
    with pytest.raises(Misuse):
        await desk.client.feed(leg, Player(sounds=(Tone("busy"),)))
    with pytest.raises(LegGone):
        await desk.client.part("0.nobody")
    with pytest.raises(LegGone):
        await desk.client.part("nonsense")
    with pytest.raises(LegGone):
        await desk.client.part("7.1")
    with pytest.raises(Misuse):
        await desk.client.join("0.1", "1.1")
    with pytest.raises(Misuse):
        await desk.client.open("c", Place(local="192.0.2.1", peer=""), desk.told.put_nowait)


@pytest.mark.parametrize(
    "octets",
    [b"\x40\0\0\0", b"\0\0\0\3\xc1\xc1\xc1", b"\0\0\0\1\x90"],
    ids=["too long", "not MessagePack", "not a request"],
)
async def test_a_malformed_request_costs_the_connection_and_no_call(
    desk: Desk, octets: bytes
) -> None:
    a, b = RtpPhone(), RtpPhone(GCM)
    await desk.call(a, b)
    reader, writer = await asyncio.open_unix_connection(str(desk.workers[0].socket))
    writer.write(octets)

    async with asyncio.timeout(60):
        await reader.read()  # greeting, then the end

    writer.close()
    assert len((await talk(a, b, 5))[0]) == 5


async def test_another_account_is_turned_away(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from media.config import MediaConfig\n"
        "from media.worker.process import run\n"
        "run(Path(sys.argv[1]), 0, MediaConfig(), peers=frozenset({12345}),"
        " ready=lambda: print('ready', flush=True))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()

    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
    assert await reader.read() == b""

    writer.close()
    process.terminate()
    assert await process.wait() == 0
    assert not (tmp_path / "control.sock").exists()


async def test_whoever_started_the_worker_can_end_it_by_its_descriptor(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from media.config import MediaConfig\n"
        "from media.worker.process import run\n"
        "def gone(): raise SystemExit(7)\n"
        "run(Path(sys.argv[1]), 0, MediaConfig(), peers=frozenset(), watch={0: gone},"
        " ready=lambda: print('ready', flush=True))"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(tmp_path)),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdin is not None
    await process.stdout.readline()
    process.stdin.close()

    assert await process.wait() == 7
    assert not (tmp_path / "control.sock").exists()


async def test_the_loop_that_relays_gives_signs_of_life(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from media.config import MediaConfig\n"
        "from media.worker.process import run\n"
        "run(Path(sys.argv[1]), 0, MediaConfig(), peers=frozenset(),"
        " beat=(0.01, lambda: print('alive', flush=True)))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert [await process.stdout.readline() for _ in range(5)] == [b"alive\n"] * 5

    process.terminate()
    assert await process.wait() == 0


def test_prompts_are_spoken_once_and_a_clinics_recording_goes_first(tmp_path: Path) -> None:
    assert prepare(tmp_path / "made") == []
    spoken = (tmp_path / "made" / "goodbye.pcmu").read_bytes()
    assert len(spoken) > 1000

    recordings = tmp_path / "own"
    recordings.mkdir()
    head = b"RIFF" + struct.pack("<I", 36 + 16_000) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16) + b"data"
    (recordings / "goodbye.wav").write_bytes(head + struct.pack("<I", 16_000) + bytes(16_000))
    (recordings / "broken.wav").write_bytes(b"no recording")
    later = time.time() + 10
    os.utime(recordings / "goodbye.wav", (later, later))
    warnings = prepare(tmp_path / "made", recordings)

    assert warnings == ["prompt broken: the recording cannot be read"]
    assert (tmp_path / "made" / "goodbye.pcmu").read_bytes() == b"\xff" * 8000
    assert len((tmp_path / "made" / "goodbye.g722").read_bytes()) == 8000
