"""A served installation, the people of a clinic at their terminals, and their telephones."""

import asyncio
import contextlib
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from certs.contexts import client_context
from pbx.cli.output import Exit
from pbx.paths import Layout
from storage.sealed.primitives import hotp
from tests.support.installation import SETTINGS
from tests.support.media_worker import free_range
from tests.support.message_exchange import Caller
from tests.support.phone import Account, Phone
from tests.support.product import free_ports
from tests.support.rtp_phone import FRAME, RtpPhone
from tests.support.terminal import PBX, Line, Run, served
from tests.support.transcript import Transcript

DOMAIN, HERTZ, PIN = "pbx.test", 700.0, "739154"
PASSWORD = "correct horse battery staple"
HALF = re.compile(r"shown once: (\S+)")
SILENCE = b"\xff" * FRAME


@dataclass
class Day:
    """`shows` runs a command and keeps it in the transcript; `does` runs it beside the story."""

    run: Run
    port: int
    transcript: Transcript = field(default_factory=Transcript)
    phones: dict[str, Phone] = field(default_factory=dict)
    totp: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    """Each person's second factor, and the last half minute a code of it was typed for."""
    messages: int = 0

    # -- at a terminal

    async def does(self, who: str, command: str, *typed: Line, code: Exit = Exit.DONE) -> str:
        words = shlex.split(command)
        got, screen = await asyncio.to_thread(self.run.tried, *words, who=who, typed=list(typed))
        assert got == code, (who, command, got, screen[-600:])
        return screen

    async def shows(
        self, who: str, command: str, *typed: Line, code: Exit = Exit.DONE, only: str = ""
    ) -> str:
        screen = await self.does(who, command, *typed, code=code)
        self.transcript.shows(who, f"pbx {command}", screen, only)
        return screen

    async def asks(self, who: str, command: str) -> Any:
        return json.loads(await self.does(who, f"{command} --json"))

    async def pipes(self, who: str, command: str, into: str, code: Exit = Exit.DONE) -> bytes:
        """A process of its own, whose standard output goes into a pipe."""
        process = await asyncio.create_subprocess_exec(
            *PBX, *shlex.split(command), "--data", str(self.run.layout.root),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PBX_SESSION": str(self.run.sessions / who)},
        )  # fmt: skip
        sound, error = await process.communicate()
        assert process.returncode == code, (who, command, process.returncode, error)
        self.transcript.shows(who, f"pbx {command} | {into}", error.decode())
        return sound

    def code_of(self, who: str) -> str:
        """Each counts once: a second one within the half minute is the next one's, good already."""
        secret, last = self.totp[who]
        step = max(int(time.time()) // 30, last + 1)
        self.totp[who] = (secret, step)
        return hotp(secret, step)

    async def enrols(self, who: str, code: str) -> None:
        """With password, app and security key; signed in from then on."""
        self.totp.pop(who, None)

        def first(screen: str) -> str:
            self.totp[who] = (self.run.enrolled(who, screen), 0)
            return self.code_of(who)

        await self.does(who, f"enrol {who}", code, PASSWORD, first)
        await self.does(who, f'factor add "key of {who}"', PASSWORD, lambda _: self.code_of(who))

    async def hires(self, login: str, name: str, kind: str = "") -> None:
        """While one person alone can."""
        await self.does("ada", f'person add {login} "{name}"{kind}')
        screen = await self.does("ada", f"person enrolment {login}")
        await self.enrols(login, screen.split("shown once: ")[1].split()[0])
        await self.names(login)

    async def names(self, login: str) -> None:
        shown = await self.asks("ada", f"person show {login}")
        self.transcript.named[shown["id"]] = login.upper()

    async def grants(self, who: str, role: str, reason: str) -> None:
        await self.does("ada", f'role grant {who} {role} --reason "{reason}"')
        [waiting] = await self.asks("maria", "approval list")
        await self.does("maria", f"approval approve {waiting['id']} --yes")

    async def shows_halves(self, login: str) -> None:
        """Of an enrolment code two people have one half each; it is joined and used."""
        halves = [await self.shows("ada", f"person enrolment {login}"), await self.shows_approval()]
        code = "-".join(HALF.findall(half)[0] for half in halves)
        await self.enrols(login, code)

    async def shows_approval(self) -> str:
        """Of the one act that waits, by the practice manager."""
        [waiting] = await self.asks("maria", "approval list")
        return await self.shows("maria", f"approval approve {waiting['id']} --yes")

    # -- at a telephone

    async def installs(self, label: str, place: str, number: str = "") -> None:
        made = await self.asks("ada", f'device add "{label}" --place {place}')
        if number:
            await self.does("ada", f'device assign "{label}" {number}')
        account = Account(username=made["username"], domain=DOMAIN, password=made["secret"])
        phone = self.phones[label] = Phone(account)
        trust = client_context(self.run.layout.certificates / "root.pem")
        await phone.connect(("127.0.0.1", self.port), trust)
        assert (await phone.register()).status == 200
        self.transcript.named[made["device"]] = label.upper().replace(" ", "-")

    @asynccontextmanager
    async def calling(self, label: str, number: str) -> AsyncIterator[Caller]:
        """An answered call from a phone."""
        with closing(RtpPhone()) as media:
            call = self.phones[label].invite(number, media.sdp())
            media.read((await call.answered()).body)
            caller = Caller(self.phones[label], call, media)
            caller.speak()
            try:
                yield caller
            finally:
                caller.quiet()

    async def leaves_message(self, label: str, number: str) -> None:
        async with self.calling(label, f"*98{number}") as caller:
            await spoken_to(caller)
            caller.press("1")  # a key cuts the greeting short
            await caller.hears(1000, 0.28)
            await caller.say(0, 0.3)
            await caller.say(HERTZ, 1.5)
            await caller.hang_up()

    async def settled(self, action: str, times: int = 1) -> None:
        """Until the ledger has so many rows of an act that a process writes by itself."""
        query = "SELECT count(*) FROM ledger WHERE action = ? AND outcome = 'done'"
        async with asyncio.timeout(60):
            while True:
                with closing(sqlite3.connect(self.run.layout.database_file)) as database:
                    [(found,)] = database.execute(query, (action,))
                if found >= times:
                    return
                await asyncio.sleep(0.05)

    def hangs_up(self) -> None:
        for phone in self.phones.values():
            phone.close()

    async def message_came(self, owner: str, name: str) -> str:
        """The identifier of the owner's one message, and its name in the story."""
        self.messages += 1
        await self.settled("message.deposited", self.messages)
        [one] = await self.asks(owner, "voicemail list")
        self.transcript.named |= {one["id"]: name, one["mailbox"]: f"MAILBOX-OF-{owner.upper()}"}
        return str(one["id"])

    def identifier(self, name: str) -> str:
        return next(key for key, value in self.transcript.named.items() if value == name)

    async def types_pin(self, caller: Caller) -> None:
        """What is pressed while the prompt is heard is part of it."""
        await spoken_to(caller)
        caller.press(PIN + "#")

    async def hears_message(self, label: str) -> None:
        async with self.calling(label, "*97") as caller:
            await self.types_pin(caller)
            await caller.hears(HERTZ, 1.0)
            await caller.hang_up()


async def spoken_to(caller: Caller) -> None:
    """Until a prompt is heard."""
    async with asyncio.timeout(60):
        while all(one.payload in (SILENCE, b"\x7f" * FRAME) for one in caller.media.heard):
            caller.media.take()
            await asyncio.sleep(FRAME / 8000)


@contextmanager
def opened(folder: Path) -> Iterator[Day]:
    """Ada made it this morning and is signed in."""
    run = Run(Layout(folder / "pbx"), folder)
    [port] = free_ports(1)
    words = [*PBX, "init", "--domain", DOMAIN, "--ip", "127.0.0.1", "--generate-password"]
    words += ["--administrator", "ada", "--administrator-name", "Ada Sample"]
    words += ["--data", str(run.layout.root)]
    init = subprocess.run(words, capture_output=True, text=True, check=True)
    first, last = free_range(400)
    settings = SETTINGS.replace("\nport = 0\nmd5", f"\nport = {port}\nmd5")
    with run.layout.config_file.open("a") as file:
        file.write(f"{settings}first_port = {first}\nlast_port = {last}\n")
    day = Day(run, port)
    day.transcript.replaced = {
        str(run.layout.root): "/var/lib/hipaa-pbx",
        f"{folder}/": "",
        f"{sys.prefix}/share/": "/opt/hipaa-pbx/share/",
        " deploy/audit/verify_export.py": " /opt/hipaa-pbx/share/hipaa-pbx/verify_export.py",
    }
    day.totp["ada"] = (run.enrolled("ada", init.stdout), 0)
    password = init.stdout.split("password (shown once): ")[1].split()[0]
    with served(run, folder / "said"), contextlib.ExitStack() as stack:
        run.pbx("login", "ada", typed=[password, lambda _: day.code_of("ada")], who="ada")
        run.pbx(
            "factor", "add", "key of ada", typed=[password, lambda _: day.code_of("ada")], who="ada"
        )
        stack.callback(day.hangs_up)
        yield day
