"""What the SRTP relay costs: CPU a packet, added delay, and how many calls one core carries.

The worker is pinned to one core and the generator to another, both ahead of other work as `serve`
puts its workers; nothing else should run. CPU is the worker's own (user and system) from the
scheduler, divided by the packets it was sent. "bare" is a loop without bookkeeping in the worker's
place: what the same packets cost on this machine anyhow.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from pbx.processes.hardening import put_ahead
from tests.support.media_worker import ROOT, WorkerProcess

CALLS = (50, 200, 400, 600, 700)
RUNS = 3
SECONDS = 6
FIRST, LAST = 10_000, 20_000
SUITE = "AES_CM_128_HMAC_SHA1_80"


async def _one(calls: int, suite: str, strangers: int, *, bare: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        worker = WorkerProcess(Path(directory), first_port=FIRST, last_port=LAST)
        await worker.start("taskset", "-c", "0")
        assert worker.process is not None
        put_ahead(worker.process.pid)
        command = [sys.executable, "-m", "tests.bench._rtp_generator"]
        command += ["bare" if bare else str(worker.socket), str(worker.process.pid)]
        command += [str(calls), str(SECONDS), suite]
        generator = await asyncio.create_subprocess_exec(
            "taskset", "-c", "1", *command, cwd=ROOT, stdout=subprocess.PIPE
        )
        flood = await _flood(strangers) if strangers else None
        output, _ = await generator.communicate()
        if flood:
            flood.kill()
            await flood.wait()
        await worker.kill()
    figures: dict[str, float] = json.loads(output)
    return figures


async def _flood(rate: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "tests.support.flood", str(FIRST), str(LAST), str(rate)]
    return await asyncio.create_subprocess_exec(
        "taskset", "-c", "1", *command, cwd=ROOT, stdout=subprocess.DEVNULL
    )


def _spread(figures: list[dict[str, float]], key: str, digits: int = 1) -> str:
    values = sorted(figure[key] for figure in figures)
    middle = statistics.median(values)
    return f"{middle:.{digits}f} [{values[0]:.{digits}f}-{values[-1]:.{digits}f}]"


def _line(calls: int, suite: str, strangers: int = 0, *, bare: bool = False) -> None:
    figures = [asyncio.run(_one(calls, suite, strangers, bare=bare)) for _ in range(RUNS)]
    print(
        f"{'bare ' if bare else ''}{calls:4d} calls: {_spread(figures, 'us_per_packet')} us/packet,"
        f" core {_spread(figures, 'cpu_share', 2)},"
        f" delay p50 {_spread(figures, 'p50_us', 0)} p99 {_spread(figures, 'p99_us', 0)} us,"
        f" loss {_spread(figures, 'loss_percent', 3)} %,"
        f" generator late {_spread(figures, 'generator_late_ms', 0)} ms",
        flush=True,
    )


def run() -> None:
    """Prints a line for each load."""
    print(f"{SUITE}, another key on each leg, {RUNS} runs of {SECONDS} s")
    for calls in CALLS:
        _line(calls, SUITE)
        _line(calls, SUITE, bare=True)
    print("AEAD_AES_256_GCM")
    _line(400, "AEAD_AES_256_GCM")
    print(f"{SUITE}, 20,000 packets a second of strangers to all ports of the worker meanwhile")
    _line(50, SUITE, strangers=20_000)
