"""Real phones keep hearing each other while the exchange dies and returns, and either hangs up."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import tone
from tests.support.phonebook import Line
from tests.support.pjsua import PjsuaPhone
from tests.support.product import DOMAIN, Product
from tests.support.two_way import in_front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

LINES = (Line(number="1001", username="alice"), Line(number="1002", username="bob"))
ALICE_HZ, BOB_HZ = 440.0, 1000.0
WINDOW = 0.02
GAP = float(os.environ.get("GAP", "0"))
"""GAP=0.06, on a machine that does nothing else; otherwise far less than there is no exchange."""
BACK_WITHIN = 60.0


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    async with Product(open_path) as made:
        await made.provision(*LINES)
        await made.start()
        yield made


def longest_gap(path: str, hertz: float, start: int) -> float:
    """Seconds without the tone, at most, after this sample of a recording."""
    samples, rate = tone.read_wav(path)
    size, gap, longest = int(rate * WINDOW), 0, 0
    for at in range(start, len(samples) - size + 1, size):
        gap = 0 if tone.power(samples[at : at + size], rate, hertz) > 0.5 else gap + 1
        longest = max(longest, gap)
    return longest * WINDOW


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_the_tone_goes_on_through_kill_9_and_each_phone_can_hang_up(
    product: Product, who: str
) -> None:
    options = {"retry": 2, "expires": 60}
    async with (
        PjsuaPhone(**product.phone_options("alice", tone_hz=ALICE_HZ, **options)) as alice,
        PjsuaPhone(
            **product.phone_options("bob", tone_hz=BOB_HZ, answer_with=200, **options)
        ) as bob,
    ):
        await alice.registered()
        await bob.registered()
        call = await alice.call(f"sip:1002@{DOMAIN}")
        await alice.confirmed(call)
        heard = [
            ((await alice.wait("recording"))["path"], BOB_HZ),
            ((await bob.wait("recording"))["path"], ALICE_HZ),
        ]
        for path, hertz in heard:
            await tone.until_heard(path, hertz, seconds=1.0)
        starts = [len(tone.read_wav(path)[0]) for path, _ in heard]
        for process in (product.processes["worker"].pid, alice.pid, bob.pid):
            in_front(process)
        await product.kill("exchange", signal.SIGKILL)
        died = time.monotonic()
        await product.start(["exchange"])
        took = time.monotonic() - died
        for phone in (alice, bob):
            phone.do("register")
        await alice.registered(seconds=BACK_WITHIN)
        await bob.registered(seconds=BACK_WITHIN)
        gaps = [
            longest_gap(path, hertz, start)
            for (path, hertz), start in zip(heard, starts, strict=True)
        ]
        first, other = (alice, bob) if who == "caller" else (bob, alice)
        first.do("hangup", call=call if who == "caller" else 0)
        async with asyncio.timeout(60):
            await first.disconnected(call if who == "caller" else 0)
            await other.disconnected(0 if who == "caller" else call)
    print(f"gaps: {gaps}")
    assert max(gaps) <= (GAP or took / 2)
    assert "Traceback" not in product.log


async def test_who_picks_up_a_phone_that_rang_while_the_exchange_died_hears_at_once_that_it_is_over(
    product: Product,
) -> None:
    options = {"retry": 2, "expires": 60}
    async with (
        PjsuaPhone(**product.phone_options("alice", **options)) as alice,
        PjsuaPhone(**product.phone_options("bob", answer_with=180, **options)) as bob,
    ):
        await alice.registered()
        await bob.registered()
        await alice.call(f"sip:1002@{DOMAIN}")
        ringing = (await bob.wait("incoming"))["call"]
        await product.kill("exchange", signal.SIGKILL)
        await product.start(["exchange"])
        bob.do("register")
        await bob.registered(seconds=BACK_WITHIN)
        bob.do("answer", call=ringing, code=200)
        over = await bob.disconnected(ringing, seconds=20)
    assert over["code"] == 200, "by our BYE, and not because nobody acknowledged"
