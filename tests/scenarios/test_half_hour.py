"""Two real phones that talk for long: nothing is lost, nothing grows, the session is refreshed.

CALL_MINUTES: how long. In 31 all sequence numbers wrap (65,536 packets are 21.8 minutes), and a
session of 90 seconds is refreshed some forty times.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.calls import Receipt
from tests.support import tone
from tests.support.callers import records
from tests.support.phonebook import Line
from tests.support.pjsua import PjsuaPhone
from tests.support.product import DOMAIN, Product
from tests.support.two_way import in_front

MINUTES = float(os.environ.get("CALL_MINUTES", "0"))
REQUIRED_TIMER, SHORTEST = 2, 90
LINES = (Line(number="1001", username="alice"), Line(number="1002", username="bob"))
ALICE_HZ, BOB_HZ = 440.0, 1000.0
MOST_GROWTH = 4096
"""KiB of one process, in whatever time."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 90 * MINUTES)]


@pytest.fixture
async def product(open_path: Path) -> AsyncIterator[Product]:
    async with Product(open_path) as made:
        await made.provision(*LINES)
        await made.start()
        yield made


def memory(product: Product) -> dict[str, int]:
    """KiB that each process holds."""
    held = {}
    for name, process in product.processes.items():
        status = Path(f"/proc/{process.pid}/status").read_text()
        held[name] = int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
    return held


def gaps(path: str, hertz: float) -> list[float]:
    """Seconds without the tone in a recording, each time, from when it is first heard to its
    end."""
    sound = array("h", Path(path).read_bytes()[44:])
    size = int(16_000 * tone.WINDOW)
    found: list[float] = []
    heard_at = 0
    for at in range(0, len(sound) - size + 1, size):
        if tone.power(list(sound[at : at + size]), 16_000, hertz) > 0.5:
            if heard_at and at - heard_at > 2 * size:  # else the seam between two of its tones
                found.append((at - heard_at - size) / 16_000)
            heard_at = at
    if len(sound) - heard_at > 3 * size:
        found.append((len(sound) - heard_at) / 16_000)
    return found


async def talk(product: Product, alice: PjsuaPhone, bob: PjsuaPhone) -> list[float]:
    """Until the time is over; how long either heard nothing, each time."""
    for phone in (alice, bob):
        await phone.registered()
    call = await alice.call(f"sip:1002@{DOMAIN}")
    await alice.confirmed(call)
    began = time.monotonic()
    paths = [(await phone.wait("recording"))["path"] for phone in (alice, bob)]
    if MINUTES:
        for process in (product.processes["worker"].pid, alice.pid, bob.pid):
            in_front(process)
    for path, hertz in zip(paths, (BOB_HZ, ALICE_HZ), strict=True):
        await tone.until_heard(path, hertz, seconds=1.0)
    before = memory(product)
    while time.monotonic() - began < 60 * MINUTES:
        await asyncio.sleep(30)
        print(f"{time.monotonic() - began:.0f} s: {memory(product)} KiB", flush=True)
    alice.do("update", call=call)
    async with asyncio.timeout(60):
        while not asked(alice) or agreed(alice) <= 2 * asked(alice):  # noqa: ASYNC110  # a phone's log
            await asyncio.sleep(0.1)
    after = memory(product)
    for phone, number in ((alice, call), (bob, 0)):
        phone.do("stats", call=number)
        print((await phone.wait("stats"))["text"])
    print(f"{time.monotonic() - began:.2f} s, from {before} to {after} KiB")
    alice.do("hangup", call=call)
    await bob.disconnected(0)

    assert all(after[name] - before[name] < MOST_GROWTH for name in before)
    return [*gaps(paths[0], BOB_HZ), *gaps(paths[1], ALICE_HZ)]


def asked(phone: PjsuaPhone) -> int:
    """Refreshes that the phone has sent."""
    return sum(line.startswith("UPDATE sip:") for line in phone.log)


def agreed(phone: PjsuaPhone) -> int:
    """How often the interval was said, by either."""
    return phone.log.count(f"Session-Expires: {SHORTEST};refresher=uac")


async def the_receipts(product: Product) -> list[Receipt]:
    async with asyncio.timeout(60):
        while not (found := await records(product)):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.1)
    [record] = found
    assert record.row.cause == "caller-hung-up"
    return [leg.receipt for leg in record.legs]


async def test_two_phones_talk_for_long(product: Product) -> None:
    options = {"log_level": 5, "session_timer": REQUIRED_TIMER, "session_expires": SHORTEST}
    async with (
        PjsuaPhone(**product.phone_options("alice", tone_hz=ALICE_HZ, **options)) as alice,
        PjsuaPhone(
            **product.phone_options("bob", tone_hz=BOB_HZ, answer_with=200, **options)
        ) as bob,
    ):
        silences = await talk(product, alice, bob)
        refreshed = asked(alice)
    receipts = await the_receipts(product)

    print(f"{refreshed} refreshes by the caller, silences {silences}", *receipts, sep="\n")
    assert refreshed >= 1 + 60 * MINUTES // SHORTEST
    for receipt in receipts:
        assert (receipt.lost, receipt.lost_there, receipt.rekeys) == (0, 0, 0)
    assert receipts[0].received == receipts[1].sent
    assert receipts[1].received == receipts[0].sent
