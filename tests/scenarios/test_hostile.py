"""Mutated messages, noise and half handshakes: no traceback, bounded memory, phones undisturbed.

HOSTILE_MESSAGES and HOSTILE_HALF_OPEN set how much; the lag of a registered phone's keep-alive is
measured meanwhile and printed. How long it may be depends on the machine and is no verdict here.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from tests.support.phone import Account, Phone
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
]

MESSAGES = int(os.environ.get("HOSTILE_MESSAGES", "10000"))
HALF_OPEN = int(os.environ.get("HOSTILE_HALF_OPEN", "800"))
LARGEST_GROWTH = 80 * 2**20
"""Bytes that messages may make the exchange grow by, however many they are."""

HALF_OPEN_COSTS = 64 * 2**10
"""Bytes of one handshake that does not go on; [sip] max_strangers bounds how many there are."""
MOST_STRANGERS = 6_000


def resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no such process")


async def attack(product: Product, kind: str, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.hostile", kind, str(product.port), str(count),
        str(product.ca_file), "mallory", SECRET, DOMAIN, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=None,
    )  # fmt: skip


async def lags(phone: Phone, over: asyncio.Event) -> list[float]:
    """Seconds from ping to pong, over and over, until the attack is over."""
    found = []
    while not over.is_set():
        start = time.perf_counter()
        await phone.ping()
        found.append(time.perf_counter() - start)
        await asyncio.sleep(0.02)
    return sorted(found)


async def arrive(phone: Phone, product: Product) -> None:
    """Among thousands of strangers of this very second one may be turned away; then it does what
    phones do, and knocks again."""
    async with asyncio.timeout(60):
        while True:
            try:
                await phone.connect(("127.0.0.1", product.port), product.context())
            except OSError:
                await asyncio.sleep(0.2)
                continue
            assert (await phone.register()).status == 200
            return


async def test_phones_live_through_a_flood(open_path: Path) -> None:
    async with Product(open_path) as product:
        await product.provision(
            Line(number="1001", username="alice"),
            Line(number="1002", username="bob"),
            Line(number="1003", username="mallory"),
        )
        await product.start()
        await product.whole()
        phone = Phone(Account(username="alice", domain=DOMAIN, password=SECRET))
        await phone.connect(("127.0.0.1", product.port), product.context())
        assert (await phone.register()).status == 200
        exchange = product.processes["exchange"]
        before = resident(exchange.pid)
        over = asyncio.Event()
        measuring = asyncio.create_task(lags(phone, over))

        flood = await attack(product, "messages", MESSAGES)
        seed, _ = await flood.communicate()
        by_messages = resident(exchange.pid) - before
        halves = await attack(product, "half-open", HALF_OPEN)
        assert halves.stdout and halves.stdin
        assert await halves.stdout.readline() == b"held\n"
        again = Phone(Account(username="bob", domain=DOMAIN, password=SECRET))
        await arrive(again, product)
        halves.stdin.close()
        await halves.wait()
        over.set()
        found = await measuring

        grown = resident(exchange.pid) - before
        print(f"grown by {by_messages / 2**20:.1f} MB after the messages")
        middle, late = (found[len(found) * part // 100] * 1e3 for part in (50, 99))
        print(
            seed.decode().strip(), f"{len(found)} keep-alives, none lost: median {middle:.1f} ms,"
        )
        print(f"p99 {late:.1f} ms, max {found[-1] * 1e3:.1f} ms; grown by {grown / 2**20:.1f} MB")
        assert flood.returncode == 0
        assert (await phone.register()).status == 200
        assert not phone.closed.is_set()
        assert by_messages < LARGEST_GROWTH
        assert grown < LARGEST_GROWTH + min(HALF_OPEN, MOST_STRANGERS) * HALF_OPEN_COSTS
        phone.close()
        again.close()
        assert exchange.returncode is None
        assert "Traceback" not in product.log
        assert '"level": "error"' not in product.log
