"""An exchange that is as it should be, and certificates for servers that are not."""

import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from certs.authority import Authority
from certs.contexts import identities, server_context
from pbx.doctor.target import Canary, Target
from storage.database import Database
from tests.support.databases import sqlite_urls
from tests.support.exchange import SECRET, TestExchange
from tests.support.sip_server import DOMAIN, new_authority
from tests.support.weak_server import lax


@pytest.fixture
async def database(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Database]:
    """What is examined here is the same over each engine."""
    path = tmp_path / "pbx.db"
    shutil.copy(sqlite_template, path)
    opened = await Database.open(sqlite_urls(path).service)
    yield opened
    await opened.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path / "ca")


@pytest.fixture
def weak_tls(authority: Authority) -> ssl.SSLContext:
    return lax(authority.stock.server)


@pytest.fixture
def good_tls(authority: Authority) -> ssl.SSLContext:
    return server_context(identities(authority.stock))


@pytest.fixture
def weak_target(authority: Authority) -> Target:
    """Give it the port of a weak server with `dataclasses.replace`."""
    return Target(
        domain=DOMAIN, root=authority.root_pem_path, port=0, canary=Canary("alice", "s"), patience=1
    )


@pytest.fixture
async def sound(open_path: Path, database: Database) -> AsyncIterator[Target]:
    """A whole exchange with the phone alice; look at it from a thread."""
    async with TestExchange(open_path / "x", database) as exchange:
        await exchange.enrol("1001", "alice")
        with_silent_port = exchange.md5_port
        exchange.md5_listener.close()
        yield Target(
            domain=DOMAIN,
            root=exchange.ca_file,
            port=exchange.port,
            md5_port=with_silent_port,
            plain_port=with_silent_port,
            certificate_port=exchange.certificate_listener.endpoints[0][1],
            canary=Canary("alice", SECRET),
        )
