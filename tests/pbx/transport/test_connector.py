"""Connections of ours: the right certificate or none; then a flow like any other."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from dns.rdata import Rdata

from certs.contexts import client_context
from pbx.sip.message import Request
from pbx.transport.connector import Connector, Peer
from pbx.transport.errors import LocalError
from pbx.transport.resolver import Resolver
from tests.pbx.transport.test_resolver import record
from tests.support.sip_server import DOMAIN, SipServer, new_authority


class Here:
    """Every name is on this machine."""

    async def records(self, name: str, kind: str) -> Sequence[Rdata]:
        return [record("A", "127.0.0.1")] if kind == "A" else []


def connector(server: SipServer, trusted: Path | None = None) -> Connector:
    context = client_context(trusted or server.authority.stock.root)
    return Connector(Resolver(Here()), context)


async def test_a_peer_with_the_right_certificate_becomes_a_flow(server: SipServer) -> None:
    connection = await connector(server).connect(Peer(DOMAIN, server.port))

    flow_id = server.driver.adopt(connection, "trunk")

    (mine,) = [row for row in server.driver.snapshot() if row.id == flow_id]
    assert (mine.listener, mine.trusted, mine.state) == ("trunk", True, "open")
    request = Request("MESSAGE", f"sip:{DOMAIN}")
    for name, value in (
        ("From", f"<sip:{DOMAIN}>;tag=2"),
        ("To", f"<sip:{DOMAIN}>"),
        ("Call-ID", "out"),
        ("CSeq", "1 MESSAGE"),
        ("Max-Forwards", "70"),
    ):
        request.headers.add(name, value)
    server.stack.request(flow_id, request, asyncio.get_running_loop().time())
    server.driver.poke()
    await server.until(lambda: any("ResponseReceived" in type(e).__name__ for e in server.events))


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
async def test_a_certificate_without_the_name_asked_for_is_refused(
    server: SipServer, host: str
) -> None:
    with pytest.raises(LocalError, match="does not carry the name"):
        await connector(server).connect(Peer(host, server.port))


async def test_a_foreign_authority_is_refused(server: SipServer, tmp_path: Path) -> None:
    foreign = new_authority(tmp_path / "foreign")

    with pytest.raises(LocalError, match="issuer is not trusted"):
        await connector(server, foreign.stock.root).connect(Peer(DOMAIN, server.port))


async def test_a_wildcard_certificate_is_refused_though_openssl_takes_it(
    server: SipServer, tmp_path: Path
) -> None:
    from certs.contexts import identities, server_context
    from certs.names import ServerNames

    wild = new_authority(tmp_path / "wild")
    wild.issue_server(ServerNames(("*.clinic.example",)))
    server.listener.replace_context(server_context(identities(wild.stock)))

    with pytest.raises(LocalError, match="does not carry the name"):
        await connector(server, wild.stock.root).connect(Peer("sip.clinic.example", server.port))


async def test_nobody_there_is_one_sentence(server: SipServer) -> None:
    port = server.port
    server.listener.close()

    with pytest.raises(LocalError, match="cannot be reached"):
        await connector(server).connect(Peer(DOMAIN, port))
