"""Listeners follow the certificate files; only the revoked are disconnected."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from certs.authority import Authority
from certs.contexts import client_context
from certs.diagnose import Cause
from certs.imports import check_chain
from tests.certs.test_imports import issued
from tests.support.sip_server import DOMAIN, Phone, SipServer, new_authority, options

Connect = Callable[..., Awaitable[Phone]]


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    """An authority that the test may change."""
    return new_authority(tmp_path / "own")


@pytest.fixture
async def changing(own: Authority) -> AsyncIterator[SipServer]:
    server = SipServer(own)
    yield server
    await server.stop()


def device_context(own: Authority, identity: str) -> tuple[str, ssl.SSLContext]:
    device = own.issue_device(identity)
    path = own.stock.directory.parent / f"{device.serial}.pem"
    path.write_bytes((device.key_pem or b"") + device.chain_pem)
    return device.serial, client_context(own.stock.root, path)


async def test_nothing_happens_while_nothing_changes(changing: SipServer) -> None:
    assert not changing.credentials.refresh()


async def test_a_renewed_certificate_serves_the_next_connection_and_drops_none(
    changing: SipServer, own: Authority, connect: Connect
) -> None:
    before = await connect(changing)
    own.issue_server()

    assert changing.credentials.refresh()
    after = await connect(changing)

    for n, phone in enumerate((before, after)):
        assert await phone.ask(options(str(n), method="MESSAGE")) == 200
    serials = {
        phone.writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        for phone in (before, after)
    }
    assert len(serials) == 2
    assert not changing.credentials.refresh()


async def test_an_imported_chain_serves_its_names_from_now_on(
    changing: SipServer, own: Authority, connect: Connect, tmp_path: Path
) -> None:
    public = new_authority(tmp_path / "public", "public.example")
    check_chain(own, *issued(public)).install()

    changing.credentials.refresh()
    phone = await connect(changing, context=client_context(public.stock.root))

    assert await phone.ask(options(method="MESSAGE")) == 200


async def test_a_revoked_device_is_disconnected_and_kept_out_and_the_others_stay(
    changing: SipServer, own: Authority, connect: Connect
) -> None:
    serial, revoked = device_context(own, f"sip:1001@{DOMAIN}")
    _, other = device_context(own, f"sip:1002@{DOMAIN}")
    port = changing.certificate_port
    lost = await connect(changing, port=port, context=revoked)
    kept = await connect(changing, port=port, context=other)
    await lost.ask(options("1", method="MESSAGE"))
    await kept.ask(options("2", method="MESSAGE"))

    own.revoke(serial)
    changing.credentials.refresh()

    assert await lost.rest() == b""
    assert await kept.ask(options("3", method="MESSAGE")) == 200
    again = await connect(changing, port=port, context=revoked)
    assert await again.rest() == b""
    assert changing.driver.endings.causes[Cause.REVOKED] == 1


async def test_damaged_files_leave_the_last_good_contexts_serving(
    changing: SipServer, own: Authority, connect: Connect
) -> None:
    good = own.stock.server.read_bytes()
    own.stock.server.write_bytes(b"half a certificate")

    assert not changing.credentials.refresh()
    assert "PEM" in changing.credentials.alarm
    phone = await connect(changing)
    assert await phone.ask(options(method="MESSAGE")) == 200

    own.stock.server.write_bytes(good)
    assert changing.credentials.refresh()
    assert changing.credentials.alarm == ""
