"""One authority for all tests of this directory, and a server for each."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from certs.authority import Authority
from tests.support.sip_server import Phone, SipServer, new_authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("transport") / "certs")


@pytest.fixture
async def serve(authority: Authority) -> AsyncIterator[Callable[..., SipServer]]:
    """Starts servers with given limits; stops them and hangs up at the end."""
    async with AsyncExitStack() as ends:

        def start(**limits: int) -> SipServer:
            server = SipServer(authority, **limits)
            ends.push_async_callback(server.stop)
            return server

        yield start


@pytest.fixture
async def server(serve: Callable[..., SipServer]) -> SipServer:
    return serve()


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., "object"]]:
    """Connects phones and closes them at the end."""
    async with AsyncExitStack() as ends:

        async def connect(server: SipServer, **options: object) -> Phone:
            phone = await Phone.connect(server, **options)  # type: ignore[arg-type]
            ends.push_async_callback(phone.close)
            return phone

        yield connect
