"""Secrets of people in the exchange's memory and in whatever is written: none is found.

Memory is read through /proc/PID/mem while somebody logs in, after that, and after an enrolment.
Canaries, sent to the exchange in every spelling, are found first: else a search proves nothing.
"""

import asyncio
import base64
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pbx.admin.wire.fields import Performed
from pbx.admin.wire.sessions import SignedIn
from pbx.cli.proofs import Desk
from pbx.config import load
from pbx.first_people import Made, Wanted, make
from pbx.paths import Layout
from storage.keyholder import acts
from storage.keyholder.protocol import Enrolment, Protected
from storage.sealed.primitives import hotp
from tests.support.installation import install, serving
from tests.support.keyholder import text
from tests.support.needles import Watched, half_a_request, memory_of, private_keys, written

pytestmark = [
    pytest.mark.phoneless,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another's memory"),
    pytest.mark.timeout(600),
]


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
