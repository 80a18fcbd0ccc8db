"""A real phone (PJSIP) at our listeners: it verifies us, and we verify it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from certs.authority import Authority, create_authority
from certs.config import CertsConfig
from pbx.sip.events import RequestReceived
from pbx.transport.flow import Ending
from tests.support.pjsua import PjsuaPhone
from tests.support.sip_server import DOMAIN, SipServer

pytestmark = pytest.mark.slow


def make(directory: Path, address: str) -> Authority:
    directory.mkdir()
    config = CertsConfig(addresses=(address,))
    authority = create_authority(directory, DOMAIN, lambda: time.time_ns() // 1000, config)
    authority.issue_server()
    return authority


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SipServer]:
    """Phones are told its address, so that is in its certificate."""
    server = SipServer(make(tmp_path / "certs", "127.0.0.1"))
    server.log_in_everybody()
    yield server
    await server.stop()


def phone(server: SipServer, **options: Any) -> PjsuaPhone:
    usual = {
        "user": "1001",
        "domain": DOMAIN,
        "host": "127.0.0.1",
        "port": server.port,
        "username": "1001",
        "password": "unused",
        "ca_file": str(server.authority.root_pem_path),
        "bind": "127.0.0.1",
    }
    return PjsuaPhone(**{**usual, **options})


async def test_a_phone_that_verifies_us_registers_and_leaves(server: SipServer) -> None:
    async with phone(server) as desk:
        await desk.wait("registration", code=200)
        (row,) = server.driver.snapshot()
        assert row.trusted

    await server.until(lambda: server.driver.snapshot() == [])


async def test_a_phone_logs_in_with_its_certificate(server: SipServer, tmp_path: Path) -> None:
    device = server.authority.issue_device(f"sip:1001@{DOMAIN}")
    (tmp_path / "device.pem").write_bytes(device.chain_pem)
    (tmp_path / "device.key").write_bytes(device.key_pem or b"")
    certificate = {
        "certificate": str(tmp_path / "device.pem"),
        "key": str(tmp_path / "device.key"),
    }

    async with phone(server, port=server.certificate_port, **certificate) as desk:
        await desk.wait("registration", code=200)

    registers = [e for e in server.events if isinstance(e, RequestReceived)]
    assert registers[0].request.method == "REGISTER"


async def test_a_phone_notices_a_wrong_name_and_a_foreign_authority(
    server: SipServer, tmp_path: Path
) -> None:
    elsewhere = SipServer(make(tmp_path / "elsewhere", "127.0.0.99"))
    foreign = make(tmp_path / "foreign", "127.0.0.1")
    try:
        async with (
            phone(elsewhere) as misled,
            phone(server, ca_file=str(foreign.root_pem_path)) as suspicious,
        ):
            for desk in (misled, suspicious):
                await desk.wait("registration", lambda event: event["code"] >= 400)
    finally:
        await elsewhere.stop()

    assert not [e for e in (*server.events, *elsewhere.events) if isinstance(e, RequestReceived)]
    for each in (server, elsewhere):
        assert each.count(Ending.LEFT_UNHEARD) >= 1


async def test_a_phone_stays_while_certificates_change_around_it(server: SipServer) -> None:
    async with phone(server, expires=300) as desk:
        await desk.wait("registration", code=200)
        server.authority.issue_server()
        server.credentials.refresh()

        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await desk.wait("registration", seconds=5)

        assert len(server.driver.snapshot()) == 1
    assert server.count(Ending.BROKEN) == 0
