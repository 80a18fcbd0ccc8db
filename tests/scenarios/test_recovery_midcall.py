"""The exchange is killed while a call is on hold or on the way to somebody else.

Whoever is on the line hears somebody, or music, all the time; afterwards everybody can hang up,
nothing is left, and every call has its record. MIDCALL_KILLS: at how many random moments (50 in
the long form), and then at every named state too; the seed is printed, PBX_SEED gives it again.
GAP: the longest silence that is let pass then.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.callers import nothing_is_left, ports_of, records, restart
from tests.support.phone import Account, Phone
from tests.support.phone_call import Call, CallFailed, Incoming, Outgoing
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product
from tests.support.rtp_phone import RtpPhone
from tests.support.three_way import Steady, steady
from tests.support.transfers import attended, refer, replaced
from tests.support.two_way import LIKE_ALL, in_front

NAMES = ("alice", "bob", "carol")
LINES = tuple(Line(number=f"100{n}", username=name) for n, name in enumerate(NAMES, 1))
KILLS = int(os.environ.get("MIDCALL_KILLS", "0"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300 + 60 * KILLS),
]
STATES = {
    "blind": (
        "holding", "held", "resuming", "resumed", "referring", "referred", "target rings",
        "target answers", "put through", "hanging up",
    ),
    "attended": ("consulting", "consulted", "replacing", "replaced", "hanging up"),
}  # fmt: skip
SOME_STATES = (("blind", "referred"), ("attended", "replacing"))
GAP = float(os.environ.get("GAP", "0.06"))
"""Seconds, on a machine that does nothing else: in the long form. Else a silence has to be shorter
than the time without an exchange by far, which a relay that stood still would not be."""


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    async with Product(open_path, prefix=LIKE_ALL) as made:
        await made.provision(*LINES)
        await made.start()
        yield made


class Scene:
    """Alice and Bob talk; Bob puts Alice through to Carol. At each state it may be killed."""

    def __init__(self, product: Product, voices: Steady, at: Callable[[str], None]) -> None:
        self.product, self.voices, self.at = product, voices, at
        self.phones = {
            name: Phone(Account(username=name, domain=DOMAIN, password=SECRET)) for name in NAMES
        }
        self.media: list[RtpPhone] = []
        self.calls: list[Call] = []
        self.admitted = 0
        self.hearing: dict[RtpPhone, float] = {}
        """Who hears somebody or music all the time, since when, whatever happens to them."""
        self.gap = 0.0
        """The longest silence of those who heard for a while."""

    async def hear(self, *phones: RtpPhone) -> None:
        """These and nobody else, from when each of them hears anything."""
        now = time.time()
        for phone in set(self.hearing) - set(phones):
            since = self.hearing.pop(phone)
            self.gap = max(self.gap, self.voices.lines[phone].longest_gap(since, now))
        for phone in phones:
            if phone not in self.hearing:
                self.hearing[phone] = await self.voices.heard(phone)

    async def connect(self) -> None:
        for phone in self.phones.values():
            await phone.connect((self.product.address, self.product.port), self.product.context())
            assert (await phone.register()).status == 200

    def phone_media(self) -> RtpPhone:
        media = RtpPhone()
        self.media.append(media)
        return media

    async def call(self, caller: str, number: str, callee: str) -> tuple[Outgoing, Incoming]:
        """Somebody calls somebody, who answers; both are heard from now on."""
        ours, theirs = self.phone_media(), self.phone_media()
        outgoing = self.phones[caller].invite(number, ours.sdp())
        self.calls.append(outgoing)
        async with asyncio.timeout(60):
            incoming = await self.phones[callee].incoming.get()
            self.admitted += 1
            self.calls.append(incoming)
            self.take(incoming, theirs)
            ours.read((await outgoing.answered()).body)
            await incoming.confirmed.wait()
            await outgoing.ask(outgoing.message("INFO"))  # behind the ACK: the exchange has it
        self.voices.add(ours)
        return outgoing, incoming

    def take(self, incoming: Incoming, media: RtpPhone) -> None:
        media.read(incoming.invite.body)
        incoming.answers_with = media.sdp()
        incoming.answer(media.sdp())
        self.voices.add(media)

    async def blind(self) -> None:
        first, at_bob = await self.call("alice", "1002", "bob")
        alice, bob = self.media[:2]
        first.answers_with = alice.sdp()
        await self.hear(bob)  # Alice puts it on hold: her phone is sent nothing
        self.at("holding")
        await first.reinvite(alice.sdp("sendonly"))
        self.at("held")
        self.at("resuming")
        await first.reinvite(alice.sdp())
        self.at("resumed")
        await self.hear(alice)
        self.at("referring")
        assert (await refer(at_bob, f"<sip:1003@{DOMAIN}>")).status == 202
        self.at("referred")
        incoming = await asyncio.wait_for(self.phones["carol"].incoming.get(), 60)
        self.calls.append(incoming)
        incoming.ring()
        self.at("target rings")
        carol = self.phone_media()
        self.take(incoming, carol)
        self.at("target answers")
        await asyncio.wait_for(at_bob.ended.wait(), 60)
        await self.hear(alice, carol)
        self.at("put through")
        await self.hang_up(first)

    async def attended(self) -> None:
        first, at_bob = await self.call("alice", "1002", "bob")
        alice = self.media[0]
        first.answers_with = alice.sdp()
        await self.hear(alice)
        await at_bob.reinvite(self.media[1].sdp("sendonly"))
        self.at("consulting")
        second, at_carol = await self.call("bob", "1003", "carol")
        carol = self.media[3]
        await self.hear(alice, carol)
        at_carol.answers_with, second.answers_with = carol.sdp(), self.media[2].sdp()
        self.at("consulted")
        asking = asyncio.create_task(refer(at_bob, attended(replaced(second))))
        try:
            await asyncio.sleep(0)
            self.at("replacing")
            await asking
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
        await asyncio.wait_for(second.ended.wait(), 60)
        self.at("replaced")
        await self.hang_up(first)

    async def hang_up(self, call: Call) -> None:
        await self.hear()
        ending = asyncio.create_task(call.bye())
        try:
            await asyncio.sleep(0)
            self.at("hanging up")
            await ending
        finally:
            ending.cancel()
            with suppress(asyncio.CancelledError):
                await ending

    async def end(self) -> None:
        """Whoever still believes in a call hangs up, and is answered."""
        for call in self.calls:
            if not call.ended.is_set() and call._remote:
                assert (await call.bye()).status in (200, 481)

    def close(self) -> None:
        for phone in self.phones.values():
            phone.close()


async def killed_at(product: Product, kind: str, moment: str | float) -> tuple[Scene, float, float]:
    """One scene, one kill; with the longest silence and the seconds until phones were let in."""
    dead = asyncio.Event()
    when = [0.0]
    hearing: dict[RtpPhone, float] = {}

    def die() -> None:
        if dead.is_set():
            return  # the scene was over before its moment, and killed then
        product.processes["exchange"].kill()
        when[0] = time.time()
        hearing.update(scene.hearing)
        dead.set()

    def at(state: str) -> None:
        if state == moment:
            die()

    with steady() as voices:
        scene = Scene(product, voices, at)
        await scene.connect()
        if not isinstance(moment, str):
            asyncio.get_running_loop().call_later(moment, die)
        script = asyncio.create_task(getattr(scene, kind)())
        script.add_done_callback(lambda _: die())  # it was quicker
        await dead.wait()
        script.cancel()  # nobody does anything with a phone whose exchange is gone
        with suppress(asyncio.CancelledError, CallFailed, TimeoutError):
            await script
        took = await restart(product)
        await scene.connect()
        end = time.time()
        gaps = [
            voices.lines[phone].longest_gap(max(since, when[0] - 0.1), end)
            for phone, since in hearing.items()
        ]
        await scene.end()
    scene.close()
    for media in scene.media:
        media.close()
    return scene, max(gaps, default=0.0), took


async def undisturbed(product: Product, kind: str) -> tuple[Scene, float]:
    """One scene, and how long it lasts."""
    with steady() as voices:
        scene = Scene(product, voices, lambda state: None)
        await scene.connect()
        began = time.monotonic()
        await getattr(scene, kind)()
        took = time.monotonic() - began
        await scene.end()
    scene.close()
    for media in scene.media:
        media.close()
    return scene, took


async def test_killed_on_hold_and_in_transfers_nobody_is_left_in_silence(product: Product) -> None:
    seed = int(os.environ.get("PBX_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    print(f"seed {seed}")
    before, admitted, gaps, back = ports_of(product), 0, [0.0], [0.0]
    moments: list[tuple[str, str | float]] = list(SOME_STATES)
    if KILLS:
        moments = [(kind, state) for kind, states in STATES.items() for state in states]
    in_front(product.processes["worker"].pid)
    for kind in STATES if KILLS else ():
        scene, lasts = await undisturbed(product, kind)
        admitted += scene.admitted
        print(f"{kind}: {scene.gap * 1e3:.0f} ms in {lasts:.2f} s", flush=True)
        assert scene.gap <= GAP, kind
        chances = [chance.uniform(0.1, 1.0) for _ in range(KILLS // 2)]
        moments += [(kind, part * lasts) for part in chances]
    for kind, moment in moments:
        scene, gap, took = await killed_at(product, kind, moment)
        admitted += scene.admitted
        gaps.append(gap)
        back.append(took)
        print(f"{kind} {moment}: {gap * 1e3:.0f} ms, back after {took:.2f} s", flush=True)
        assert gap <= (GAP if KILLS else took / 2), (seed, kind, moment)
    await nothing_is_left(product)

    found = await records(product)
    print(f"{len(back) - 1} kills, {len(found)} records, longest {max(gaps) * 1e3:.0f} ms, "
          f"back after {max(back):.2f} s at most")  # fmt: skip
    assert len(found) >= admitted
    for record in found:
        assert record.row.ended_at >= record.row.started_at
        assert record.row.cause not in ("", "internal")
        assert all(leg.ended_at >= leg.started_at for leg in record.legs)
    assert ports_of(product) == before
    assert "Traceback" not in product.log


async def test_a_planned_restart_and_a_reload_are_not_heard(product: Product) -> None:
    """Whoever talks goes on, and whatever was changed is in force."""
    began = time.monotonic()
    longest = await planned(product)
    took = time.monotonic() - began
    print(f"longest {longest * 1e3:.0f} ms")
    await nothing_is_left(product)

    assert longest <= (GAP if KILLS else took / 2)
    causes = [record.row.cause for record in await records(product)]
    assert causes == ["caller-hung-up"] * 2
    assert product.log.count("the exchange gives way to a new one") == 1
    assert "Traceback" not in product.log


async def planned(product: Product) -> float:
    """A reload, a call that begins after it, and a restart; the longest silence of the first."""
    with steady() as voices:
        scene = Scene(product, voices, lambda state: None)
        await scene.connect()
        first, _ = await scene.call("alice", "1002", "bob")
        in_front(product.processes["worker"].pid)
        began = time.time()
        for name in ("worker", "exchange"):
            product.processes[name].send_signal(signal.SIGHUP)
        await first.ask(first.message("INFO"))
        await scene.call("carol", "1001", "alice")
        exchange = product.processes["exchange"]
        exchange.send_signal(signal.SIGUSR1)
        assert await asyncio.wait_for(exchange.wait(), 60) == 75
        await product.start(["exchange"])
        await scene.connect()
        ended = time.time()
        for call in scene.calls[::2]:
            assert (await call.bye()).status == 200
        for call in scene.calls:
            await asyncio.wait_for(call.ended.wait(), 60)
        gaps = [voices.lines[media].longest_gap(began, ended) for media in scene.media[:2]]
    scene.close()
    for media in scene.media:
        media.close()
    return max(gaps)
