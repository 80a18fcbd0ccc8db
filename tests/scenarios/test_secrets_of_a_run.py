"""A whole run as people have it, by commands alone; nothing secret stays anywhere behind it.

Installation, sign-in, enrolment, phones, PIN, rotation, recovery, backup, two crashes. The memory
of exchange and worker is searched meanwhile, and at the end every file: database, write-ahead
logs, journals, spools, backup and what the processes said. Canaries planted in memory and beside
the files are found in every spelling: else a search proves nothing.
"""

import base64
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pbx.paths import Layout
from storage.sealed.primitives import hotp
from tests.support.installation import SETTINGS
from tests.support.needles import Watched, half_a_request, private_keys, written
from tests.support.terminal import PBX, Line, Run, served

pytestmark = [
    pytest.mark.phoneless,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another's memory"),
    pytest.mark.timeout(600),
]


def installed(run: Run) -> str:
    """The first administrator's password, which is shown once."""
    init = subprocess.run(
        [*PBX, "init", "--domain", "pbx.test", "--ip", "127.0.0.1", "--generate-password",
         "--data", str(run.layout.root)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    with run.layout.config_file.open("a") as file:
        file.write(SETTINGS)
    password = init.stdout.split("password (shown once): ")[1].split()[0]
    run.watched.add("password", password.encode())
    run.totp = run.enrolled("admin", init.stdout)
    return password


def random_text(run: Run, name: str) -> str:
    made = secrets.token_hex(16)
    run.watched.add(name, made.encode())
    return made


def sign_in_watched(run: Run, password: str) -> set[str]:
    """Searches the exchange again and again while somebody signs in."""
    with ThreadPoolExecutor(1) as desk:
        typed: list[Line] = [password, run.code]
        signing_in = desk.submit(run.pbx, "login", "admin", typed=typed)
        found = run.in_memory()
        signing_in.result()
    return found | run.in_memory()


def test_nothing_secret_stays_behind_a_whole_run(open_path: Path, tmp_path: Path) -> None:
    run, canary = Run(Layout(open_path / "pbx"), tmp_path), Watched()
    canary.add("canary", secrets.token_hex(16).encode())
    password = installed(run)
    for number, key in enumerate(private_keys(run.layout)):
        run.watched.add(f"private key {number}", key)
    backup = open_path / "backup"
    backup.mkdir()
    backup.chmod(0o777)

    with served(run, open_path / "said"):
        with half_a_request(run.layout, b"\n".join(canary.needles.values())):
            assert run.in_memory(canary) == set(canary.needles)
        found = sign_in_watched(run, password)
        device, token = a_days_work(run, password, backup)
        found |= run.in_memory()
        run.crash("exchange")
        run.crash("keyholder")
        found |= run.in_memory()
    for number, key in enumerate(private_keys(run.layout)):
        run.watched.add(f"rotated private key {number}", key)
    assert found == set()

    for name, secret in (("phone's secret", device), ("session token", token)):
        run.watched.add(name, secret.encode())
    tls_keys = add_tls_keys(run)
    assert run.watched.found_in(written_elsewhere(open_path, run.layout)) == set()
    assert tls_keys >= 3
    assert not list(open_path.rglob("core*"))
    places = (backup, run.layout.keys, run.layout.database, run.layout.spool, open_path)
    planted = Watched()
    for number, place in enumerate(places):
        own = Watched()
        own.add(f"canary {number}", secrets.token_hex(16).encode())
        (place / "planted").write_bytes(b"\n".join(own.needles.values()))
        planted.needles |= own.needles
    assert planted.found_in(written_elsewhere(open_path, run.layout)) == set(planted.needles)


def a_days_work(run: Run, password: str, backup: Path) -> tuple[str, str]:
    """What an administrator does, each act by a touch; then a newcomer's first day."""
    typed: list[Line] = [password, run.code]
    run.pbx("factor", "add", "blue key", typed=typed)
    new = random_text(run, "new password")
    run.pbx("password", typed=[password, new])
    run.pbx("pin", typed=["739154820467"])
    run.watched.add("PIN", b"739154820467")
    run.pbx("person", "add", "anna", "Anna Able")
    shown = run.pbx("person", "enrolment", "anna")
    code = shown.split("shown once: ")[1].split()[0]
    run.watched.add("enrolment code", code.encode())
    enrol(run, code, random_text(run, "newcomer's password"))
    wrong = random_text(run, "typed by mistake")
    with pytest.raises(AssertionError):
        run.pbx("login", "anna", typed=[wrong, "000000"], who="anna")
    run.pbx("device", "add", "lobby")
    shown = run.pbx("device", "rotate-secret", "lobby", "--yes", "--json")
    run.pbx("keys", "recovery", typed=[random_text(run, "recovery passphrase")])
    run.pbx("keys", "rotate", "--yes")
    run.pbx("keys", "backup", str(backup), "--force")
    token = (run.sessions / "admin").read_text().split()[0]
    return json.loads(shown)["secret"], token


def enrol(run: Run, code: str, password: str) -> None:
    def first_code(screen: str) -> str:
        return hotp(run.enrolled("anna", screen), int(time.time()) // 30)

    run.pbx("enrol", "anna", typed=[code, password, first_code], who="anna")


def add_tls_keys(run: Run) -> int:
    """Private keys of the exchange's own credentials; they lie in their directory alone."""
    count = 0
    for path in run.layout.credentials.rglob("*"):
        if path.is_file() and b"PRIVATE KEY-----" in (text := path.read_bytes()):
            body = text.split(b"PRIVATE KEY-----")[1].splitlines()
            run.watched.add(f"TLS key {count}", base64.b64decode(b"".join(body[1:-1]))[-48:])
            count += 1
    return count


def written_elsewhere(root: Path, layout: Layout) -> Iterator[bytes]:
    """Every file below, but the exchange's credentials."""
    for path in sorted(root.iterdir()):
        if path == layout.root:
            for part in sorted(path.iterdir()):
                if part != layout.credentials:
                    yield from written(part) if part.is_dir() else iter([part.read_bytes()])
        elif path.is_dir():
            yield from written(path)
        else:
            yield path.read_bytes()
