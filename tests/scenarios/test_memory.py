"""Secrets of people in the exchange's memory and in whatever is written: none is found.

Memory is read through /proc/PID/mem while somebody logs in, after that, and after an enrolment.
Canaries, sent to the exchange in every spelling, are found first: else a search proves nothing.
"""

import asyncio
import base64
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pbx.admin.wire.fields import Performed
from pbx.admin.wire.sessions import SignedIn
from pbx.cli.proofs import Desk
from pbx.config import load
from pbx.first_people import Made, Wanted, make
from pbx.paths import Layout
from storage.keyholder import acts, founding
from storage.keyholder.keystores.choice import choose
from storage.keyholder.protocol import Enrolment, Protected
from storage.keyholder.records import SETTINGS, KeyRow, Settings
from storage.keyholder.store import Store, read_wrapped
from storage.sealed.primitives import hotp
from tests.support.installation import install, serving
from tests.support.keyholder import text

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another's memory"),
    pytest.mark.timeout(240),
]


def spellings(secret: bytes) -> dict[str, bytes]:
    """Raw, and as it could have been written; base64 at each of its three alignments."""
    return {
        "raw": secret,
        "hex": secret.hex().encode(),
        "base32": base64.b32encode(secret)[: len(secret) * 8 // 5],
        "utf-16": secret.decode("latin-1").encode("utf-16-le"),
        **{
            f"base64+{shift}": base64.b64encode(b"\0" * shift + secret)[4 if shift else 0 : -4]
            for shift in range(3)
        },
    }


class Watched:
    """What must not be found, by name; long enough to be nobody else's bytes."""

    def __init__(self) -> None:
        self.needles: dict[str, bytes] = {}

    def add(self, name: str, secret: bytes) -> None:
        assert len(secret) >= 10
        self.needles |= {f"{name}, {how}": one for how, one in spellings(secret).items()}

    def enrolment(self, name: str, enrolment: Enrolment) -> bytes:
        padding = "=" * (-len(enrolment.totp_secret) % 8)
        secret = base64.b32decode(enrolment.totp_secret + padding)
        self.add(f"{name}: TOTP secret", secret)
        self.add(f"{name}: recovery code", enrolment.recovery_codes[0].encode())
        self.add(
            f"{name}: plain recovery code", enrolment.recovery_codes[1].replace("-", "").encode()
        )
        return secret

    def found_in(self, pieces: Iterator[bytes]) -> set[str]:
        """By grep, which looks for all of them in one go; a line break splits no needle there."""
        sought = {name: max(needle.split(b"\n"), key=len) for name, needle in self.needles.items()}
        assert all(len(part) >= 8 for part in sought.values())
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b"\n".join(sought.values()) + b"\n")
            patterns.flush()
            command = ["grep", "-a", "-o", "-F", "-f", patterns.name]
            environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            ) as grep:
                assert grep.stdin is not None
                assert grep.stdout is not None
                with ThreadPoolExecutor(1) as reader:
                    reading = reader.submit(grep.stdout.read)
                    for piece in pieces:
                        grep.stdin.write(piece + b"\n")
                    grep.stdin.close()
                    matched = reading.result()
        return {name for name, part in sought.items() if part in matched}


def memory_of(pid: int) -> Iterator[bytes]:
    """Every readable and writable region; code and mapped files hold nobody's secrets."""
    with Path(f"/proc/{pid}/maps").open() as maps:
        regions = [line.split() for line in maps if line.split()[1].startswith("rw")]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for region in regions:
            start, end = (int(part, 16) for part in region[0].split("-"))
            with contextlib.suppress(OSError, ValueError):
                memory.seek(start)
                yield memory.read(end - start)


def written(root: Path) -> Iterator[bytes]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.read_bytes()


@contextlib.contextmanager
def half_a_request(layout: Layout, body: bytes) -> Iterator[None]:
    """The exchange holds a body whose end never comes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(layout.admin_socket))
        head = (
            "POST /v1/session HTTP/1.1\r\nHost: pbx\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body) + 1}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        yield


def private_keys(layout: Layout) -> list[bytes]:
    """Of the key holder, read before it starts."""
    keystore = choose(load(layout.config_file).keyholder, layout.keys, os.environ)
    copy = layout.root.parent / "copy"
    shutil.copytree(layout.keys, copy)
    store = Store(copy / founding.STORE, keystore.unwrap(read_wrapped(copy / founding.STORE)))
    settings = store.get(Settings, SETTINGS)
    assert settings is not None
    found = [bytes(settings.signing_key), bytes(settings.index_key)]
    found += [bytes(row.private[-40:]) for row in store.all(KeyRow)]
    store.close()
    shutil.rmtree(copy)
    return found


def sign_in(layout: Layout, login: str, password: str, totp: bytes) -> None:
    desk = Desk(layout)
    with desk.client:
        code = hotp(totp, int(time.time()) // 30)
        typed = Protected(password=text(password), totp=text(code))
        proof, _ = desk.seal(acts.LogIn(login=login), typed)
        desk.client.post("/v1/session", SignedIn, {"login": login, "proof": proof})


def enrol(layout: Layout, login: str, code: str, password: str) -> Enrolment:
    desk = Desk(layout)
    with desk.client:
        typed = Protected(enrolment_code=text(code), new_password=text(password))
        proof, asker = desk.seal(acts.Enrol(login=login), typed)
        body = {"login": login, "proof": proof}
        enrolment = asker.open(desk.client.post("/v1/enrolment", Performed, body).answer, Enrolment)
        padding = "=" * (-len(enrolment.totp_secret) % 8)
        totp = base64.b32decode(enrolment.totp_secret + padding)
        typed = Protected(password=text(password), totp=text(hotp(totp, int(time.time()) // 30)))
        proof, _ = desk.seal(acts.ConfirmEnrolment(login=login), typed)
        body = {"login": login, "proof": proof}
        desk.client.post("/v1/enrolment/confirmation", SignedIn, body)
    return enrolment


def founded(layout: Layout, password: str) -> tuple[Made, Enrolment]:
    shown: list[Enrolment] = []
    wanted = Wanted("admin", "Ada Admin", text(password), shown.append, ("mona", "Mona Manager"))
    return make(layout, load(layout.config_file), wanted), shown[0]


async def test_no_secret_of_people_is_in_the_exchange_or_in_a_file(
    open_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    watched, canary = Watched(), Watched()
    canary.add("canary", secrets.token_hex(16).encode())
    password, new = secrets.token_hex(16), secrets.token_hex(16)
    layout = install(open_path / "pbx")
    made, enrolment = await asyncio.to_thread(founded, layout, password)
    for name, secret in (("password", password), ("new password", new)):
        watched.add(name, secret.encode())
    watched.add("enrolment code", made.manager_code.encode())
    totp = watched.enrolment("admin", enrolment)
    for number, key in enumerate(await asyncio.to_thread(private_keys, layout)):
        watched.add(f"private key {number}", key)

    async with serving(layout) as served:
        (pid,) = (p.pid for p in served.supervisor.snapshot() if p.name == "exchange")
        assert pid is not None
        search = searching(pid)
        with half_a_request(layout, b"\n".join(canary.needles.values())):
            assert await search(canary) == set(canary.needles)
        signing_in = asyncio.create_task(
            asyncio.to_thread(sign_in, layout, "admin", password, totp)
        )
        during = await search(watched)
        await signing_in
        after = await search(watched)
        enrolled = await asyncio.to_thread(enrol, layout, "mona", made.manager_code, new)
        watched.enrolment("mona", enrolled)
        last = await search(watched)
        files = await asyncio.to_thread(watched.found_in, written(layout.root))
    files |= await asyncio.to_thread(watched.found_in, written(layout.root))

    assert during == after == last == set()
    assert files == set()
    logged = capfd.readouterr()
    assert watched.found_in(iter([logged.out.encode(), logged.err.encode()])) == set()
    planted = layout.spool / "planted"
    planted.write_bytes(b"\n".join(canary.needles.values()))
    assert canary.found_in(written(layout.root)) == set(canary.needles)


def searching(pid: int) -> Callable[[Watched], Awaitable[set[str]]]:
    async def search(watched: Watched) -> set[str]:
        return await asyncio.to_thread(watched.found_in, memory_of(pid))

    return search
