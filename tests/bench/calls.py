"""What a call costs the exchange: INVITE, digest, ring, answer, BYE, records and ledger; no media.

CALLS calls in ROUNDS rounds, AT_ONCE at a time, between pairs of lean phones; then HELD calls at
once for the memory of a call. CPU is the time of the exchange's and the media worker's threads,
given as median [lowest-highest] of the rounds.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

from tests.bench.registration import resident
from tests.support.phone import Account, Phone
from tests.support.phone_call import CallFailed, Outgoing
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product
from tests.support.static_sdp import static_answer, static_offer

CALLS = int(os.environ.get("CALLS", "500"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
AT_ONCE = 10
ROOM = "[calls]\nper_device = 32\ncalls_per_minute = 60000\n"
HELD = int(os.environ.get("HELD", "100"))


async def registered(product: Product, name: str) -> Phone:
    phone = Phone(Account(username=name, domain=DOMAIN, password=SECRET), reuses_nonces=False)
    await phone.connect((product.address, product.port), product.context())
    assert (await phone.register(3600)).status == 200
    return phone


async def answering(phone: Phone) -> None:
    while True:
        incoming = await phone.incoming.get()
        incoming.ring()
        incoming.answer(static_answer(incoming.request_sent_or_received.body))


async def call(caller: Phone, number: str) -> Outgoing:
    made = caller.invite(number, static_offer())
    await made.answered()
    return made


async def measure(folder: Path) -> None:
    product = Product(folder, prefix=("taskset", "-c", "0"), settings=ROOM)
    names = [f"caller{n}" for n in range(AT_ONCE)] + [f"callee{n}" for n in range(AT_ONCE)]
    lines = [Line(number=str(3000 + n), username=name) for n, name in enumerate(names)]
    async with product:
        await product.provision(*lines)
        await product.start()
        await product.whole()
        phones = {name: await registered(product, name) for name in names}
        callees = [asyncio.create_task(answering(phones[f"callee{n}"])) for n in range(AT_ONCE)]
        callers = [phones[f"caller{n}"] for n in range(AT_ONCE)]
        await _short(product, callers)
        await _held(product, callers)
        for task in callees:
            task.cancel()
        await asyncio.gather(*callees, return_exceptions=True)
        for phone in phones.values():
            phone.close()


async def _short(product: Product, callers: list[Phone]) -> None:
    """Rounds of calls; the spread shows what else the machine was doing."""
    await _round(callers, AT_ONCE * 2)  # everything imported, every cache warm
    spent: dict[str, list[float]] = {name: [] for name in product.processes}
    rates, failed = [], 0
    for _ in range(ROUNDS):
        before = {name: cpu_time(one.pid) for name, one in product.processes.items()}
        start = time.monotonic()
        failed += await _round(callers, CALLS // ROUNDS)
        rates.append(CALLS // ROUNDS / (time.monotonic() - start))
        await asyncio.sleep(1)  # the records are written behind, and are part of the price
        for name, one in product.processes.items():
            spent[name].append((cpu_time(one.pid) - before[name]) / (CALLS // ROUNDS) * 1e3)
    for name, figures in spent.items():
        print(f"{name}: {_spread(figures)} ms of CPU a call")
    print(f"{CALLS} calls, {_spread(rates, 0)}/s of wall time, {failed} failed")


async def _round(callers: list[Phone], count: int) -> int:
    failed = 0

    async def one_after_another(index: int) -> None:
        nonlocal failed
        for _ in range(count // AT_ONCE):
            try:
                made = await call(callers[index], str(3000 + AT_ONCE + index))
                await made.bye()
            except (CallFailed, TimeoutError):
                failed += 1

    await asyncio.gather(*(one_after_another(index) for index in range(AT_ONCE)))
    return failed


def cpu_time(pid: int) -> float:
    """Seconds of CPU that all threads of a process have had, to the microsecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _spread(figures: list[float], digits: int = 3) -> str:
    low, high = min(figures), max(figures)
    return f"{statistics.median(figures):.{digits}f} [{low:.{digits}f}-{high:.{digits}f}]"


async def _held(product: Product, callers: list[Phone]) -> None:
    pid = product.processes["exchange"].pid
    before = resident(pid)
    made = [
        await call(callers[n % AT_ONCE], str(3000 + AT_ONCE + n % AT_ONCE)) for n in range(HELD)
    ]
    print(f"{HELD} calls at once: {resident(pid) - before:.1f} MB in the exchange")
    for one in made:
        await one.bye()


def run() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="pbx-") as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    run()
