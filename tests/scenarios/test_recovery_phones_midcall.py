"""Real phones while one of them holds or puts somebody through, and the exchange dies and returns.

Whoever is left on the line hears music or somebody all the time, and what was begun can be ended.
PHONE_STATES=all goes through every state, or names some; by itself it is "held". GAP=0.06 is the
longest silence that is let pass, on a machine that does nothing else; otherwise far less than
there is no exchange.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.callers import nothing_is_left, records
from tests.support.ear import MUSIC_HZ, Ear
from tests.support.phonebook import Line
from tests.support.pjsua import PjsuaPhone
from tests.support.product import DOMAIN, Product
from tests.support.tone import WINDOW, read_wav
from tests.support.two_way import in_front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("nothing_in_clear"),
]

HERTZ = {"alice": 440.0, "bob": 1000.0, "carol": 1250.0}
LINES = tuple(Line(number=f"100{n}", username=name) for n, name in enumerate(HERTZ, 1))
STATES = ("held", "referred", "put-through", "consulting", "replaced")
WANTED = os.environ.get("PHONE_STATES", "held")
TRIED = STATES if WANTED == "all" else tuple(WANTED.split(","))
GAP = float(os.environ.get("GAP", "0"))
LOUD = 300_000.0
"""Mean square of 16-bit samples: a tone of a phone's has ten million, music no less than one."""
BACK_WITHIN = 60.0


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    async with Product(open_path) as made:
        await made.provision(*LINES)
        await made.start()
        yield made


def longest_silence(path: str, start: int, until: int) -> float:
    """Seconds without any sound, at most, between two samples of a recording."""
    samples, rate = read_wav(path)
    size, gap, longest = int(rate * WINDOW), 0, 0
    for at in range(start, min(until, len(samples)) - size + 1, size):
        heard = sum(sample * sample for sample in samples[at : at + size]) / size
        gap = 0 if heard > LOUD else gap + 1
        longest = max(longest, gap)
    return longest * WINDOW


@dataclass
class Stage:
    """Alice has called Bob, who answered; Carol is there too."""

    product: Product
    phones: dict[str, PjsuaPhone]
    call: int
    ears: dict[str, Ear] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)

    async def listen(self, name: str) -> Ear:
        """To what the phone records next."""
        path = str((await self.phones[name].wait("recording"))["path"])
        self.paths[name], self.ears[name] = path, Ear(path)
        return self.ears[name]

    async def hear(self, one: str, other: str) -> None:
        await asyncio.gather(self.ears[one].hears(HERTZ[other]), self.ears[other].hears(HERTZ[one]))

    def samples(self, names: tuple[str, ...]) -> dict[str, int]:
        return {name: len(read_wav(self.paths[name])[0]) for name in names}


@asynccontextmanager
async def staged(product: Product) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as entered:
        phones = {}
        for name, options in (("alice", {}), ("bob", {"answer_with": 200}), ("carol", {})):
            phone = phones[name] = await entered.enter_async_context(
                PjsuaPhone(
                    **product.phone_options(
                        name, tone_hz=HERTZ[name], retry=2, expires=60, **options
                    )
                )
            )
            await phone.registered()
        call = await phones["alice"].call(f"sip:1002@{DOMAIN}")
        await phones["alice"].confirmed(call)
        stage = Stage(product, phones, call)
        for name in ("alice", "bob"):
            await stage.listen(name)
        await stage.hear("alice", "bob")
        for process in (product.processes["worker"].pid, *(p.pid for p in phones.values())):
            in_front(process)
        yield stage


async def killed(stage: Stage, *listeners: str) -> tuple[float, float]:
    """The longest silence of these until all phones are back; and how long nobody was let in."""
    product = stage.product
    before = stage.samples(listeners)
    await product.kill("exchange", signal.SIGKILL)
    died = time.monotonic()
    await product.start(["exchange"])
    took = time.monotonic() - died
    for phone in stage.phones.values():
        phone.do("register")
    for phone in stage.phones.values():
        await phone.registered(seconds=BACK_WITHIN)
    after = stage.samples(listeners)
    gaps = {name: longest_silence(stage.paths[name], before[name], after[name]) for name in after}
    print(f"gaps: {gaps}, back after {took:.2f} s")
    return max(gaps.values()), took


async def to_state(stage: Stage, state: str) -> tuple[str, ...]:
    """Until the state; who hears something there all the time."""
    alice, bob, carol = stage.phones.values()
    if state == "held":
        alice.do("hold", call=stage.call)
        await stage.ears["bob"].hears(MUSIC_HZ)
        return ("bob",)
    if state in ("referred", "put-through"):
        bob.do("transfer", call=0, uri=f"sip:1003@{DOMAIN}")
        await carol.wait("incoming")
        await stage.ears["alice"].hears(MUSIC_HZ, 0.3)
        if state == "referred":
            return ("alice",)
        carol.do("answer", call=0, code=200)
    else:
        bob.do("hold", call=0)
        await stage.ears["alice"].hears(MUSIC_HZ)
        second = await bob.call(f"sip:1003@{DOMAIN}")
        await carol.wait("incoming")
        carol.do("answer", call=0, code=200)
        await bob.confirmed(second)
        await stage.listen("bob")
        await stage.listen("carol")
        await stage.hear("bob", "carol")
        if state == "consulting":
            return ("alice", "carol")
        bob.do("replace", call=0, **{"with": second})
    await bob.disconnected(0)
    if "carol" not in stage.ears:
        await stage.listen("carol")
    await stage.hear("alice", "carol")
    return ("alice", "carol")


async def go_on(stage: Stage, state: str) -> None:
    """What was begun is ended, and the right two hear each other."""
    alice, bob, carol = stage.phones.values()
    match state:
        case "held":
            alice.do("resume", call=stage.call)
            await stage.hear("alice", "bob")
        case "referred":  # nobody had answered: whoever asked for it has the call again
            await stage.hear("alice", "bob")
        case "consulting":
            bob.do("replace", call=0, **{"with": 1})
            await bob.disconnected(0)
            await stage.hear("alice", "carol")
        case _:
            await stage.hear("alice", "carol")
    other, number = (bob, 0) if state in ("held", "referred") else (carol, 0)
    alice.do("hangup", call=stage.call)
    await alice.disconnected(stage.call)
    await other.disconnected(number)


@pytest.mark.parametrize("state", TRIED)
async def test_nobody_is_left_in_silence_and_what_was_begun_is_ended(
    product: Product, state: str
) -> None:
    async with staged(product) as stage:
        listeners = await to_state(stage, state)
        gap, took = await killed(stage, *listeners)
        await go_on(stage, state)
    await nothing_is_left(product)

    assert gap <= (GAP or took / 2)
    causes = {record.row.cause for record in await records(product)}
    assert causes <= {"caller-hung-up", "transferred"}
    assert "Traceback" not in product.log
