"""What a registration costs the exchange: CPU on an open connection and with a new one, memory.

The product's own processes on one core, our lean phone on the other. CPU is user and system time
of the exchange process from /proc, so that a busy machine spoils it little. FLOWS and HOLD_SECONDS
say how many connections are held and for how long.
"""

from __future__ import annotations

import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from tests.support.phone import Account, Phone
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product

FLOWS = [int(count) for count in os.environ.get("FLOWS", "1000").split(",")]
HOLD_SECONDS = float(os.environ.get("HOLD_SECONDS", "30"))
KEEP_ALIVE = 30.0
AT_ONCE = 50
ROUNDS = 4
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of user and system time."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def resident(pid: int) -> float:
    """Megabytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


async def in_parallel(phones: list[Phone], work: Callable[[Phone], Awaitable[object]]) -> int:
    """AT_ONCE at a time; how many failed."""
    failed = 0
    waiting = iter(phones)

    async def one_after_another() -> None:
        nonlocal failed
        for phone in waiting:
            try:
                await work(phone)
            except (OSError, TimeoutError):
                failed += 1

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return failed


async def measure(count: int, folder: Path) -> None:
    product = Product(
        folder, prefix=("taskset", "-c", "0"),
        sip="max_strangers_per_address = 20000",
    )  # fmt: skip
    async with product:
        await product.provision(
            *(Line(number=str(2000 + n), username=f"phone{n:05d}") for n in range(count))
        )
        await product.start()
        await product.whole()
        await _measured(product, count)


async def _measured(product: Product, count: int) -> None:
    pid = product.processes["exchange"].pid
    accounts = [
        Account(username=f"phone{n:05d}", domain=DOMAIN, password=SECRET) for n in range(count)
    ]
    phones = [Phone(account, reuses_nonces=False) for account in accounts]
    context = product.context()

    async def arrive(phone: Phone) -> None:
        await phone.connect(("127.0.0.1", product.port), context)
        response = await phone.register(3600)
        if response.status != 200:
            raise OSError(response.status)

    async def refresh(phone: Phone) -> None:
        response = await phone.register(3600)
        if response.status != 200:
            raise OSError(response.status)

    memory, before, start = resident(pid), cpu(pid), time.monotonic()
    failed = await in_parallel(phones, arrive)
    spent, took = cpu(pid) - before, time.monotonic() - start
    grown = resident(pid) - memory
    print(
        f"{count} phones arrive (handshake, 401, 200, first row): {spent / count * 1e3:.3f} ms of"
    )
    print(f"  CPU each, {count / took:.0f}/s of wall time, {failed} failed")
    print(f"memory: {grown:.1f} MB, {grown * 1024 / count:.1f} kB a registered connection")
    # Like a real phone, one that did not arrive tries again; who never does takes no further part.
    await in_parallel([phone for phone in phones if not phone.is_connected], arrive)
    phones = [phone for phone in phones if phone.is_connected]
    await asyncio.sleep(3)  # the journal's rows are written behind
    for _ in range(2):
        before, start = cpu(pid), time.monotonic()
        for _ in range(ROUNDS):
            failed = await in_parallel(phones, refresh)
        spent, took = cpu(pid) - before, time.monotonic() - start
        pairs = count * ROUNDS
        print(f"REGISTER 401 200 on an open connection: {spent / pairs * 1e3:.3f} ms of CPU each,")
        print(f"  {pairs / spent:.0f}/s a core, {pairs / took:.0f}/s of wall time, {failed} failed")
    await _hold(phones, pid)
    await _storm(product, phones, arrive)


async def _hold(phones: list[Phone], pid: int) -> None:
    """Every phone sends a keep-alive each 30 seconds, one after another, as real ones come."""
    lags: list[float] = []
    lost = 0
    memory, before, start = resident(pid), cpu(pid), time.monotonic()
    end = start + HOLD_SECONDS

    async def keep_alive(phone: Phone, at: float) -> None:
        nonlocal lost
        while at < end:
            await asyncio.sleep(at - time.monotonic())
            sent = time.perf_counter()
            try:
                await phone.ping(10)
            except (OSError, TimeoutError):
                lost += 1
                return
            lags.append(time.perf_counter() - sent)
            at += KEEP_ALIVE

    step = KEEP_ALIVE / len(phones)
    await asyncio.gather(*(keep_alive(phone, start + n * step) for n, phone in enumerate(phones)))
    spent, grown = cpu(pid) - before, resident(pid) - memory
    middle, late = (sorted(lags)[len(lags) * part // 100] * 1e3 for part in (50, 99))
    print(f"held {HOLD_SECONDS:.0f} s: {lost} lost, {spent:.2f} s of CPU, {grown:+.1f} MB")
    print(f"  {len(lags)} keep-alives: p50 {middle:.2f} ms, p99 {late:.2f} ms")


async def _storm(
    product: Product, phones: list[Phone], arrive: Callable[[Phone], Awaitable[object]]
) -> None:
    """Everybody comes back at once after kill -9."""
    await product.kill("exchange")
    for phone in phones:
        with suppress(OSError):
            phone.close()
    await product.start(["exchange"])
    start = time.monotonic()
    missing, tries = phones, 0
    while missing and tries < 10:
        tries += 1
        await in_parallel(missing, arrive)
        missing = [phone for phone in missing if not phone.is_connected]
    print(f"storm after kill -9: all back in {time.monotonic() - start:.1f} s, "
          f"{len(missing)} failed")  # fmt: skip
    for phone in phones:
        phone.close()


def run() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for count in FLOWS:
        with tempfile.TemporaryDirectory(prefix="pbx-") as folder:
            asyncio.run(measure(count, Path(folder)))


if __name__ == "__main__":
    run()
