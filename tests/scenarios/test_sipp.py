"""SIPp, a load generator that is not ours, registers phones and calls through the MD5 port.

SIPP_PHONES sets how many phones register, `SIPP_CALLS` how many calls are made.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pbx.b2bua.config import CallsConfig
from tests.support.capture import Clear
from tests.support.exchange import SECRET, TestExchange
from tests.support.sip_server import DOMAIN
from tests.support.sipp_phone import Sipp, Tunnel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PHONES = int(os.environ.get("SIPP_PHONES", "100"))
CALLS = int(os.environ.get("SIPP_CALLS", "30"))


def tunnel_to(exchange: TestExchange, tmp_path: Path) -> Tunnel:
    return Tunnel(tmp_path, exchange.md5_port, exchange.ca_file, DOMAIN)


async def test_sipp_registers_many_phones(
    exchange: TestExchange, tmp_path: Path, nothing_in_clear: Clear
) -> None:
    names = [f"sipp{number:05d}" for number in range(PHONES)]
    await exchange.enrol("1100", *names, md5=True)
    async with tunnel_to(exchange, tmp_path) as tunnel:
        nothing_in_clear.ports.add(tunnel.port)
        sipp = Sipp(tmp_path / "register", tunnel)
        rows = [(name, SECRET) for name in names]
        # so few at once that the shared connection is no stranger's for too many messages
        await sipp.start("register", rows, "-m", str(PHONES), "-r", "200", "-l", "10")

        assert await sipp.finished(120) == 0, sipp.said
    await exchange.flush()
    assert (await exchange.ledger_actions()).count("registration.started") == PHONES


async def test_sipp_calls_sipp(
    exchange: TestExchange, tmp_path: Path, nothing_in_clear: Clear
) -> None:
    """The callee takes its calls on the connection that it registered by."""
    exchange.calls.reconfigure(CallsConfig(ring_seconds=60, calls_per_minute=600))
    await exchange.enrol("1101", "caller", md5=True)
    await exchange.enrol("1102", "callee", md5=True)
    async with tunnel_to(exchange, tmp_path) as tunnel:
        nothing_in_clear.ports.add(tunnel.port)
        callee = Sipp(tmp_path / "callee", tunnel)
        scenario = Path(__file__).parents[1] / "support" / "sipp" / "callee.xml"
        await callee.start(
            "register", [("callee", SECRET)], "-m", "1000000", "-r", "1", "-rp", "2000",
            "-oocsf", str(scenario),
        )  # fmt: skip
        await until_registered(exchange)
        caller = Sipp(tmp_path / "caller", tunnel)
        rows = [("caller", SECRET, "1102")]
        # fewer at once than a device may have, however slowly they end
        await caller.start("caller", rows, "-m", str(CALLS), "-r", "5", "-l", "3")

        try:
            assert await caller.finished(120) == 0, caller.said
        finally:
            callee.stop()
            await callee.finished()

    outcomes = [record.outcome.value for record in await exchange.over()]
    assert outcomes == ["answered"] * CALLS


async def until_registered(exchange: TestExchange) -> None:
    async with asyncio.timeout(60):
        while not list(exchange.location):  # noqa: ASYNC110  # SIPp says nothing by itself
            await asyncio.sleep(0.02)
