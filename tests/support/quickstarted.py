"""What `pbx quickstart` makes, served, and a terminal that is signed in to it."""

import asyncio
import atexit
import base64
import functools
import io
import json
import os
import shutil
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certs.contexts import client_context
from pbx.admin.enrolling import Credentials
from pbx.cli.founders import Founders
from pbx.installation import Plan, initialise
from pbx.paths import Layout
from pbx.processes import accounts
from storage.sealed.primitives import hotp
from tests.support.installation import SETTINGS, serving
from tests.support.media_worker import free_range
from tests.support.pjsua import PjsuaPhone

DOMAIN = "pbx.test"


@dataclass
class Running:
    """What quickstart makes, served, and a terminal signed in as its administrator."""

    layout: Layout
    phones: dict[str, Credentials]
    port: int
    password: str
    totp: bytes

    async def pbx(self, *words: str, typed: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "pbx", *words, "--data", str(self.layout.root),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PBX_SESSION": str(self.layout.root.parent / "session")},
        )  # fmt: skip
        out, error = await process.communicate(typed.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), error.decode()

    async def done(self, *words: str, typed: str = "") -> str:
        code, out, error = await self.pbx(*words, typed=typed)
        assert code == 0, (words, code, error)
        return out

    async def json(self, *words: str) -> Any:
        return json.loads(await self.done(*words, "--json"))

    async def login(self) -> None:
        code = hotp(self.totp, int(time.time()) // 30)
        await self.done("login", "admin", typed=f"{self.password}\n{code}\n")

    def code(self) -> str:
        """Of the next half minute, for the one act after signing in; it is accepted early."""
        return hotp(self.totp, int(time.time()) // 30 + 1) + "\n"

    def trust(self) -> ssl.SSLContext:
        return client_context(self.layout.certificates / "root.pem")

    async def certificate(self) -> bytes | None:
        """The certificate that a new connection is shown."""
        _, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.trust(), server_hostname=DOMAIN
        )
        shown: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return shown

    def phone(self, made: Credentials, **more: Any) -> PjsuaPhone:
        return PjsuaPhone(
            user=made.username, username=made.username, password=made.secret, domain=DOMAIN,
            host="127.0.0.1", port=self.port, ca_file=str(self.layout.certificates / "root.pem"),
            bind="127.0.0.1", codecs=["PCMU"], record_to=str(self.layout.root.parent), **more,
        )  # fmt: skip


@functools.cache
def _made() -> tuple[Path, str, dict[str, Credentials]]:
    """Where it is, what was said, and its phones; made once in this process."""
    folder = Path(tempfile.mkdtemp(prefix="quick-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    layout = Layout(folder / "pbx")
    founder = Founders(generate=True, samples=True)
    plan = Plan(layout=layout, domain=DOMAIN, addresses=("127.0.0.1",), founder=founder)
    with redirect_stdout(io.StringIO()) as said:
        initialise(plan, accounts.own())
    assert founder.made is not None
    return layout.root, said.getvalue(), founder.made.phones


@asynccontextmanager
async def quickstarted(root: Path) -> AsyncIterator[Running]:
    made, said, phones = await asyncio.to_thread(_made)
    shutil.copytree(made, root)
    layout = Layout(root)
    first, last = free_range(400)
    with layout.config_file.open("a") as file:
        file.write(f"{SETTINGS}first_port = {first}\nlast_port = {last}\n")
    secret = said.split("or type in: ")[1].split()[0]
    async with serving(layout) as served:
        port = int(served.facts["SIP over TLS"].rpartition(":")[2])
        running = Running(
            layout,
            phones,
            port,
            said.split("password (shown once): ")[1].split()[0],
            base64.b32decode(secret + "=" * (-len(secret) % 8)),
        )
        await running.login()
        yield running
