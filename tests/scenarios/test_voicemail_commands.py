"""`pbx voicemail` on a served installation: real commands, a real message, each for those who may.

The message is left by a phone over TLS and SRTP. What a listening or an export gives is the tone
that was said; before the first octet of it the ledger has the row.
"""

import asyncio
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyrage
import pytest

from certs.contexts import client_context
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage.sealed.primitives import hotp
from tests.support.installation import SETTINGS
from tests.support.media_worker import free_range
from tests.support.message_exchange import Caller
from tests.support.phone import Account, Phone
from tests.support.product import free_ports
from tests.support.rtp_phone import RtpPhone
from tests.support.terminal import PBX, Run, served, until
from tests.support.tone import seconds_of

pytestmark = [pytest.mark.phoneless, pytest.mark.timeout(600)]
HERTZ, SECONDS = 700.0, 2.0
DOMAIN = "pbx.test"


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Anna (physician, 1002) has a message; Carla is compliance officer, Maria manages."""
    folder = Path(tempfile.mkdtemp(prefix="pbx-"))
    folder.chmod(0o755)
    yield from running(folder)
    shutil.rmtree(folder)


def running(folder: Path) -> Iterator[Run]:
    """Until the last test is over."""
    run = Run(Layout(folder / "pbx"), folder)
    first, last = free_range(400)
    [port] = free_ports(1)
    settings = SETTINGS.replace("\nport = 0\nmd5", f"\nport = {port}\nmd5")
    password = installed(run, f"{settings}first_port = {first}\nlast_port = {last}\n")
    with served(run, folder / "said"):
        run.pbx("login", "admin", typed=[password, run.code])
        run.pbx("factor", "add", "key of admin", typed=[password, run.code])
        for login, name in (("maria", "Maria"), ("anna", "Anna"), ("carla", "Carla")):
            run.pbx("person", "add", login, name)
            code = run.pbx("person", "enrolment", login).split("shown once: ")[1].split()[0]
            enrol(run, login, code)
        run.pbx("role", "grant", "maria", "practice-manager", "--reason", "manages")
        for login, role in (("anna", "physician"), ("carla", "compliance-officer")):
            run.pbx("role", "grant", login, role, "--reason", "works here")
            [waiting] = json.loads(run.pbx("approval", "list", "--json", who="maria"))
            run.pbx("approval", "approve", waiting["id"], "--yes", who="maria")
        run.pbx("extension", "assign", "1002", "anna", "--yes")
        made = json.loads(run.pbx("device", "add", "reception", "--json"))
        account = Account(username=made["username"], domain=DOMAIN, password=made["secret"])
        asyncio.run(leave(run.layout, port, account))
        until(lambda: bool(listed(run)))
        yield run


def installed(run: Run, settings: str) -> str:
    """The first administrator's password."""
    words = [*PBX, "init", "--domain", DOMAIN, "--ip", "127.0.0.1", "--generate-password"]
    words += ["--data", str(run.layout.root)]
    init = subprocess.run(words, capture_output=True, text=True, check=True)
    with run.layout.config_file.open("a") as file:
        file.write(settings)
    run.totp = run.enrolled("admin", init.stdout)
    return init.stdout.split("password (shown once): ")[1].split()[0]


def enrol(run: Run, login: str, code: str) -> None:
    """Signed in from then on; the security key is the second factor."""
    password, found = "correct horse battery staple", {}

    def first(screen: str) -> str:
        found["totp"] = run.enrolled(login, screen)
        found["step"] = int(time.time()) // 30
        return hotp(found["totp"], found["step"])

    def second(_: str) -> str:
        return hotp(found["totp"], found["step"] + 1)

    run.pbx("enrol", login, typed=[code, password, first], who=login)
    run.pbx("factor", "add", f"key of {login}", typed=[password, second], who=login)


async def leave(layout: Layout, where: int, account: Account) -> None:
    phone = Phone(account)
    await phone.connect(("127.0.0.1", where), client_context(layout.certificates / "root.pem"))
    with closing(phone), closing(RtpPhone()) as media:
        assert (await phone.register()).status == 200
        call = phone.invite("*981002", media.sdp())
        media.read((await call.answered()).body)
        caller = Caller(phone, call, media)
        caller.speak()
        pressing = asyncio.create_task(press_until(caller))
        await caller.hears(1000, 0.28)
        pressing.cancel()
        await caller.say(0, 0.3)
        await caller.say(HERTZ, SECONDS)
        await caller.hang_up()
        caller.quiet()


async def press_until(caller: Caller) -> None:
    """A key cuts the greeting short as soon as there is one."""
    await asyncio.sleep(1)
    caller.press("1")


def listed(run: Run, who: str = "anna") -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run.pbx("voicemail", "list", "--json", who=who))
    return found


def message(run: Run) -> str:
    [found] = listed(run)
    return str(found["id"])


def rows(run: Run, action: str) -> list[str]:
    """Outcomes of an action's ledger rows, oldest first."""
    with closing(sqlite3.connect(run.layout.database_file)) as database:
        query = "SELECT outcome FROM ledger WHERE action = ? ORDER BY sequence"
        return [outcome for (outcome,) in database.execute(query, (action,))]


def process(run: Run, who: str, *words: str, **how: object) -> "subprocess.Popen[bytes]":
    """The command in a process of its own, with the pipe or file that it is given."""
    environment = {**os.environ, "PBX_SESSION": str(run.sessions / who)}
    command = [*PBX, "voicemail", *words, "--data", str(run.layout.root)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, **how
    )  # type: ignore[call-overload,no-any-return]


def tone_in(sound: bytes) -> float:
    """Seconds of what was said."""
    assert sound.startswith(b"RIFF")
    with closing(wave.open(io.BytesIO(finished(sound)))) as read:
        rate, samples = read.getframerate(), read.readframes(read.getnframes())
    values = memoryview(samples).cast("h")
    return seconds_of(list(values), rate, HERTZ)


def finished(sound: bytes) -> bytes:
    """A stream's header states no length; a file's does."""
    at = sound.index(b"data") + 4
    length = len(sound) - at - 4
    return sound[:at] + length.to_bytes(4, "little") + sound[at + 4 :]


def test_a_listening_is_in_the_ledger_before_its_first_octet_is_out(run: Run) -> None:
    before = len(rows(run, "message.heard"))
    words = ("listen", message(run), "--purpose", "to call back")
    with process(run, "anna", *words, stdout=subprocess.PIPE) as listening:
        assert listening.stdout is not None
        first = listening.stdout.read(1)
        assert first == b"R"
        assert len(rows(run, "message.heard")) > before
        sound = first + listening.stdout.read()
    assert listening.returncode == Exit.DONE
    assert SECONDS - 0.4 < tone_in(sound) < SECONDS + 0.4
    assert listed(run)[0]["state"] == "saved"


def test_a_listening_writes_no_file_and_opens_nothing_for_it(run: Run, tmp_path: Path) -> None:
    before = len(rows(run, "message.heard"))
    words = ("listen", message(run), "--purpose", "to call back")
    with (
        (tmp_path / "message.wav").open("wb") as file,
        process(run, "anna", *words, stdout=file) as listening,
    ):
        listening.wait()

    assert listening.returncode == Exit.REFUSED
    assert (tmp_path / "message.wav").read_bytes() == b""
    assert len(rows(run, "message.heard")) == before


@pytest.mark.parametrize("who", ["admin", "maria", "carla"])
def test_nobody_else_hears_or_exports_it(run: Run, who: str, tmp_path: Path) -> None:
    one = message(run)
    with process(
        run, who, "listen", one, "--purpose", "curiosity", stdout=subprocess.PIPE
    ) as listening:
        assert listening.stdout is not None
        assert listening.stdout.read() == b""
    assert listening.returncode == Exit.REFUSED
    words = ("voicemail", "export", one, str(tmp_path / "out"), "--purpose", "curiosity")
    for more in ((), ("--plain", "--reason", "curiosity")):
        code, _ = run.tried(*words, *more, who=who, typed=["correct horse battery"])
        assert code == Exit.REFUSED
    assert not (tmp_path / "out").exists()
    assert listed(run, who) == []


def test_an_export_opens_with_its_passphrase_or_its_recipients_key_alone(
    run: Run, tmp_path: Path
) -> None:
    one, purpose = message(run), ("--purpose", "for the court")
    locked, theirs = tmp_path / "locked.age", tmp_path / "theirs.age"
    identity = pyrage.x25519.Identity.generate()
    export = ("voicemail", "export", one)
    run.pbx(*export, str(locked), *purpose, typed=["a long passphrase"], who="anna")
    to = ("--recipient", str(identity.to_public()))
    run.pbx(*export, str(theirs), *purpose, *to, who="anna")

    assert b"RIFF" not in locked.read_bytes() + theirs.read_bytes()
    opened = pyrage.passphrase.decrypt(locked.read_bytes(), "a long passphrase")
    assert SECONDS - 0.4 < tone_in(opened) < SECONDS + 0.4
    assert pyrage.decrypt(theirs.read_bytes(), [identity]) == opened
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(theirs.read_bytes(), [pyrage.x25519.Identity.generate()])
    assert locked.stat().st_mode & 0o777 == 0o600
    code, _ = run.tried(*export, str(locked), *purpose, typed=["a long passphrase"], who="anna")
    assert code == Exit.REFUSED, "nothing is written over"


def test_a_plain_export_wants_a_reason_and_a_role_that_may(run: Run, tmp_path: Path) -> None:
    one, file = message(run), tmp_path / "plain.wav"
    words = ("voicemail", "export", one, str(file), "--purpose", "dictation", "--plain")
    assert run.tried(*words, who="anna")[0] == Exit.USAGE
    assert not file.exists()

    before = len(rows(run, "message.exported"))
    run.pbx(*words, "--reason", "the transcriber has no age", who="anna")

    assert SECONDS - 0.4 < tone_in(file.read_bytes()) < SECONDS + 0.4
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(rows(run, "message.exported")) > before


def test_the_officer_is_told_who_heard_it_and_a_stranger_believes_it(
    run: Run, tmp_path: Path
) -> None:
    one = message(run)
    with process(
        run, "anna", "listen", one, "--purpose", "to call back", stdout=subprocess.PIPE
    ) as listening:
        assert listening.stdout is not None
        assert listening.stdout.read()

    heard = json.loads(run.pbx("audit", "who-heard", one, "--json", who="carla"))
    assert heard["is_compared"]
    opened = [told for told in heard["openings"] if told["was_opened"]]
    assert opened
    assert {(told["login"], told["journal"], told["outcome"]) for told in opened} == {
        ("anna", "opened", "done")
    }
    could = json.loads(run.pbx("audit", "who-could", one, "--json", who="carla"))
    assert [(told["login"], told["how"]) for told in could["access"]] == [("anna", "owner")]
    scope = ("audit", "scope", "--person", "anna", "--from", "1h", "--json")
    told = json.loads(run.pbx(*scope, who="carla"))
    assert len(told["did"]) == len(heard["openings"])
    assert [box["opened"] for box in told["within_reach"]] == [1]
    number = ("audit", "search", "--number", "981002", "--reason", "a complaint", "--json")
    until(lambda: bool(json.loads(run.pbx(*number, who="carla"))["rows"]))
    for question in (("who-heard", one), ("search", "--number", "1", "--reason", "curiosity")):
        assert run.tried("audit", *question, who="anna")[0] == Exit.REFUSED

    file = tmp_path / "ledger.jsonl"
    run.pbx("audit", "export", "--signed", str(file), who="carla")
    script = Path(__file__).parents[2] / "deploy" / "audit" / "verify_export.py"
    command = [sys.executable, "-I", script, file, run.layout.keyholder_pin]
    genuine = subprocess.run(command, capture_output=True, text=True, check=True)
    assert genuine.stdout.startswith("Genuine: ")
    file.write_bytes(file.read_bytes().replace(b"message.heard", b"message.saved", 1))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_a_session_file_without_its_secret_opens_nothing(run: Run, tmp_path: Path) -> None:
    """Whoever has the handle of the session alone, as the exchange does, gets no message."""
    one, words = message(run), ("--purpose", "to call back")
    whole = (run.sessions / "anna").read_text().splitlines()
    thief = run.sessions / "thief"
    thief.write_text("\n".join([*whole[:2], "A" * 43 + "="]) + "\n")
    thief.chmod(0o600)

    for who, code in (("anna", Exit.DONE), ("thief", Exit.REFUSED)):
        with process(run, who, "listen", one, *words, stdout=subprocess.PIPE) as listening:
            assert listening.stdout is not None
            sound = listening.stdout.read()
        assert listening.returncode == code
        assert bool(sound) is (who == "anna")


def test_delete_undelete_hold_purge_and_figures(run: Run) -> None:
    one = message(run)
    mailbox = str(listed(run)[0]["mailbox"])
    assert run.tried("voicemail", "delete", one, "--yes", who="carla")[0] == Exit.REFUSED
    run.pbx("voicemail", "delete", one, "--yes", who="anna")
    assert listed(run) == []
    assert run.tried("voicemail", "undelete", one, who="anna")[0] == Exit.REFUSED
    hidden = json.loads(run.pbx("voicemail", "list", "--deleted", "--json", who="carla"))
    assert [found["id"] for found in hidden] == [one]
    run.pbx("voicemail", "undelete", one, who="carla")
    assert message(run) == one
    assert "message.undeleted" in actions(run)

    hold = ("voicemail", "hold", mailbox, "--reason", "letter of 3 May")
    assert run.tried(*hold, who="anna")[0] == Exit.REFUSED
    run.pbx(*hold, who="carla")
    [held] = json.loads(run.pbx("voicemail", "holds", "--json", who="carla"))
    assert (held["mailbox"], held["reason"]) == (mailbox, "letter of 3 May")

    assert run.tried("voicemail", "purge", "--dry-run", who="anna")[0] == Exit.REFUSED
    done = json.loads(run.pbx("voicemail", "purge", "--dry-run", "--json", who="carla"))
    assert (done["is_dry_run"], done["hidden"], done["destroyed"]) == (True, 0, 0)
    figures = json.loads(run.pbx("voicemail", "stats", "--json", who="carla"))
    assert (figures["saved"], figures["deleted"], figures["on_hold"]) == (1, 0, 1)
    assert run.tried("voicemail", "stats", who="anna")[0] == Exit.REFUSED


def actions(run: Run) -> list[str]:
    with closing(sqlite3.connect(run.layout.database_file)) as database:
        return [one for (one,) in database.execute("SELECT action FROM ledger ORDER BY sequence")]
