"""The running product with voicemail: its real processes, two physicians, messages of days ago.

Nothing of it is in this process, which may kill any of them, read their memory, and open with the
key holder's store and root key whatever lies on the disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from pbx.admin.models import Status
from pbx.cli import main as cli
from pbx.cli.client import AdminClient
from pbx.cli.failures import CommandError
from pbx.config import load
from pbx.processes import accounts
from storage import deposits, messages
from storage.config import database_url
from storage.database import Database
from storage.deeds import Deed
from storage.deposits import Begun, Closed
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts, founding, slots
from storage.keyholder.acts import Role
from storage.keyholder.keystores.choice import choose
from storage.keyholder.protocol import AdoptMessage, KeyList, PublicKeys, Wrapped
from storage.keyholder.records import MessageSecret
from storage.keyholder.store import Store, read_wrapped
from storage.ledger.committer import Committer
from storage.ledger.entry import SYSTEM
from storage.ledger.heads import newest
from storage.ledger.unit import Unit
from storage.messages import Message, MessageState, NewMessage
from storage.sealed import primitives
from storage.sealed.file import (
    MAX_SEALED,
    SEGMENT_MS,
    Codec,
    Header,
    Interrupted,
    SealedFile,
    Sealer,
    Whole,
)
from tests.support.bytecode import environment
from tests.support.databases import sqlite_urls
from tests.support.keyholder import FakeTime, House, Someone, evidence
from tests.support.message_exchange import PIN, Caller
from tests.support.phone import Account, Phone
from tests.support.phonebook import SECRET, Line
from tests.support.product import DOMAIN, Product
from tests.support.prompts import short_prompts
from tests.support.rtp_phone import RtpPhone
from tests.support.terminal import PBX

ALL = ("keyholder", "worker", "exchange")
DAY = 86_400
RECOVERY = "first long passphrase"
HOLDERS = (("1001", "alice", "anna"), ("1002", "bob", "ben"))


@dataclass
class Ward:
    """Extensions 1001 (phone alice, Anna) and 1002 (phone bob, Ben), each with mailbox and PIN."""

    product: Product
    boxes: dict[str, UUID] = field(default_factory=dict)
    people: dict[str, Someone] = field(default_factory=dict)
    furnished: int = 0
    """Entries of the key holder's journal from before there was a ledger beside it."""

    # -- before anything serves

    async def furnish(self, pin: str, stock: int, backup: Path | None) -> None:
        """People, mailboxes, phones; messages of three days ago in Ben's; a key backup of then."""
        layout = self.product.layout
        keystore = choose(load(layout.config_file).keyholder, layout.keys, os.environ)
        for part in (founding.STORE, founding.JOURNAL):
            (layout.keys / part).unlink()  # founded anew: its clock never falls back
        time = FakeTime(wall=system_clock() - 3 * DAY * 1_000_000)
        house = House(layout.keys, time=time, keystore=keystore)
        assert house.pin is not None
        layout.keyholder_pin.unlink()
        house.pin.write(layout.keyholder_pin)
        try:
            lines = await self._people(house, pin)
            await self.product.provision(*lines)
            for _ in range(stock):
                await self._left(house, self.boxes["1002"])
            if backup is not None:
                admin = self.people["admin"]
                await house.log_in(admin)
                await house.done(admin, acts.Backup(str(backup), force=True))
            self.furnished = max(one.sequence for one in house.core.books.journal.entries())
        finally:
            house.close()
        shutil.copytree(short_prompts(), layout.prompts, dirs_exist_ok=True)

    async def _people(self, house: House, pin: str) -> list[Line]:
        admin = self.people["admin"] = await house.administrator()
        await house.done(admin, acts.SetRecovery(), recovery_passphrase=RECOVERY)
        manager = await house.enrolled("manager", Role.PRACTICE_MANAGER, admin)
        self.people["manager"] = manager
        lines = []
        for number, phone, login in HOLDERS:
            someone = await house.enrolled(login, Role.PHYSICIAN, admin, manager)
            box = self.boxes[number] = uuid4()
            await house.done(admin, acts.OpenTenure(box, uuid4(), someone.id))
            await house.done(someone, acts.SetPin((number,)), new_pin=pin)
            self.people[login] = someone
            lines.append(Line(number=number, username=phone, person=someone.id, mailbox=box))
        return lines

    async def _left(self, house: House, mailbox: UUID) -> None:
        """A second of sound, sealed and adopted as a worker and a key holder do it."""
        [signed, *_] = (await house.ask(PublicKeys("deposit", mailbox), KeyList)).keys
        content, key = os.urandom(16), bytearray(os.urandom(32))
        sealer = Sealer(bytearray(key), Header.new(content, Codec.PCMU, house.time.wall))
        audio = bytes([0x31]) * (8 * SEGMENT_MS)
        file = sealer.head + sealer.segment(audio, SEGMENT_MS)
        file += sealer.segment(audio, SEGMENT_MS, last=True)
        message, slot = uuid4(), slots.deposit_slot(signed, content, key)
        ask = AdoptMessage(message, mailbox, content, signed.id, slot, evidence())
        adopted = (await house.ask(ask, Wrapped)).slot
        path = self.product.layout.message_spool / f"{content.hex()}.sealed"
        path.write_bytes(file)
        path.chmod(0o640)
        new = NewMessage(
            id=message, mailbox=mailbox, content=content, deposit_key=signed.id, slot=slot,
            codec="pcmu", milliseconds=2 * SEGMENT_MS, octets=2 * len(audio), segments=2,
            digest=hashlib.sha256(file).digest(), received_at=house.time.wall,
        )  # fmt: skip

        async def work(unit: Unit) -> None:
            deed = Deed(SYSTEM, new_id(system_clock), system_clock())
            await messages.deposit(unit, deed, new, None, None)
            await messages.adopted(unit, deed, message, adopted)

        database = self.database()
        try:
            async with Committer(database, "exchange", clock=system_clock) as committer:
                await committer.run(work)
        finally:
            await database.close()

    async def serve(self) -> None:
        """Everything, until messages can be left."""
        layout = self.product.layout
        for names, made in (
            (("keyholder",), layout.keyholder_exchange_socket),
            (("worker", "exchange"), layout.credentials / "deposit.public"),
        ):
            await self.product.start(names)
            async with asyncio.timeout(120):
                while not made.exists():  # noqa: ASYNC110 - another process makes it
                    await asyncio.sleep(0.1)
        async with asyncio.timeout(120):
            while not await self._answers():  # noqa: ASYNC110 - phones are served before people
                await asyncio.sleep(0.1)

    async def _answers(self) -> bool:
        try:
            await self.status()
        except CommandError:
            return False
        return True

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """By the command, as an installation is: root gives each account what is its own."""
        layout = self.product.layout
        if os.geteuid() == 0:
            owners = accounts.ensure()
            for directory in (layout.credentials, layout.database, layout.ledger_spool):
                accounts.give(directory, owners.exchange)
            accounts.give(layout.message_spool, owners.media)
            accounts.give(layout.keys, owners.keys)
            os.chown(layout.config_file, 0, owners.config)
            layout.config_file.chmod(0o640)
        with (self.product.folder / "exchange.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *PBX, "serve", "--data", str(layout.root), stdout=log, stderr=log,
                env=environment(), start_new_session=True,
            )  # fmt: skip
        try:
            await self.listening(process)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 60)

    async def listening(self, process: asyncio.subprocess.Process) -> None:
        """Until phones can register."""
        address = (self.product.address, self.product.port)
        async with asyncio.timeout(120):
            while True:
                assert process.returncode is None, self.product.log[-3000:]
                with closing(socket.socket()) as knock:
                    if knock.connect_ex(address) == 0:
                        return
                await asyncio.sleep(0.05)

    # -- phones

    @asynccontextmanager
    async def phone(self, username: str) -> AsyncIterator[Phone]:
        """A lean phone, registered."""
        phone = Phone(Account(username=username, domain=DOMAIN, password=SECRET))
        try:
            async with asyncio.timeout(60):
                address = (self.product.address, self.product.port)
                await phone.connect(address, self.product.context())
                assert (await phone.register()).status == 200
            yield phone
        finally:
            phone.close()

    @asynccontextmanager
    async def calling(
        self, username: str, number: str, media: RtpPhone | None = None
    ) -> AsyncIterator[Caller]:
        """In an answered call; it may lose its exchange."""
        with closing(media or RtpPhone()) as sound:
            async with self.phone(username) as phone:
                caller = Caller(phone, phone.invite(number, sound.sdp()), sound)
                try:
                    async with asyncio.timeout(60):
                        sound.read((await caller.call.answered()).body)
                    yield caller
                finally:
                    caller.quiet()

    # -- what is there

    def pid(self, name: str) -> int:
        return self.product.processes[name].pid

    def database(self) -> Database:
        layout = self.product.layout
        url = self.product.storage_url
        return Database.connect(
            database_url(url) if url else sqlite_urls(layout.database_file).service
        )

    async def rows(self) -> list[Message]:
        database = self.database()
        try:
            async with database.read() as connection:
                boxes = self.boxes.values()
                return await messages.of_mailboxes(connection, boxes, tuple(MessageState))
        finally:
            await database.close()

    def execute(self, statement: str, *values: object) -> None:
        """As the owner of the database would."""
        with closing(sqlite3.connect(self.product.layout.database_file, timeout=30)) as own, own:
            own.execute(statement, values)

    @contextmanager
    def key_store(self) -> Iterator[Store]:
        """Read by whoever has the root key."""
        layout = self.product.layout
        keystore = choose(load(layout.config_file).keyholder, layout.keys, os.environ)
        path = layout.keys / founding.STORE
        store = Store(path, keystore.unwrap(read_wrapped(path)))
        try:
            yield store
        finally:
            store.close()

    def opened(self, message: Message, store: Store) -> int:
        """Milliseconds of a message that opens as its row says, all of it; else it raises."""
        return self._file(message, store).milliseconds

    def audio(self, message: Message, store: Store) -> bytes:
        file, space = self._file(message, store), bytearray(MAX_SEALED)
        return b"".join(bytes(space[: file.open(number, space)]) for number in range(len(file)))

    def _file(self, message: Message, store: Store) -> SealedFile:
        told = (
            Whole(message.digest)
            if message.is_complete
            else Interrupted(message.segments, message.digest)
        )
        key = bytearray(self.key_of(message, store))
        return SealedFile(self.file(message).read_bytes(), key, message.content, told)

    def file(self, message: Message) -> Path:
        return self.product.layout.message_spool / f"{message.content.hex()}.sealed"

    def key_of(self, message: Message, store: Store) -> bytes:
        """What is in a worker's memory while it is heard."""
        secret = store.get(MessageSecret, message.id)
        assert secret is not None, "the key holder has not taken it over"
        slot = message.slot or b""
        return slots.open_adopted_slot(secret.secret, message.id, message.content, slot)

    def begun(self) -> set[bytes]:
        """Deposits that nothing has closed yet."""
        found: set[bytes] = set()
        for record in deposits.read(self.product.layout.deposit_log):
            if isinstance(record, Begun):
                found.add(record.content)
            if isinstance(record, Closed):
                found.discard(record.content)
        return found

    async def settled(self, seconds: float = 90) -> None:
        """Until every recording is a message that the key holder has taken over, or is gone."""
        try:
            async with asyncio.timeout(seconds):
                while await self._unsettled():  # noqa: ASYNC110 - of other processes
                    await asyncio.sleep(0.2)
        except TimeoutError:
            left = await self._unsettled()
            raise AssertionError(f"still to be settled: {left}\n{self.product.log}") from None

    async def _unsettled(self) -> dict[str, int]:
        waiting = sum(
            one.adopted_at is None and one.state is not MessageState.DESTROYED
            for one in await self.rows()
        )
        slots_ = list(self.product.layout.message_spool.glob("*.slot"))
        found = {"begun": len(self.begun()), "slots": len(slots_), "not adopted": waiting}
        return {name: count for name, count in found.items() if count}

    async def head_is_signed(self) -> None:
        """Of what the ledger has by now."""
        database = self.database()
        try:
            async with asyncio.timeout(60):
                while True:
                    async with database.read() as connection:
                        if await newest(connection, "exchange", only_signed=True) is not None:
                            return
                    await asyncio.sleep(0.1)
        finally:
            await database.close()

    async def entered(self, action: str, count: int = 1, outcome: str = "") -> None:
        """Until so many rows say so."""
        async with asyncio.timeout(60):
            while self.count(action, outcome) < count:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.1)

    def count(self, action: str, outcome: str = "") -> int:
        """Rows of the ledger that say so."""
        query = "SELECT count(*) FROM ledger WHERE action = ? AND (? = '' OR outcome = ?)"
        with closing(sqlite3.connect(self.product.layout.database_file)) as own:
            [found] = own.execute(query, (action, outcome, outcome)).fetchone()
        return int(found)

    async def status(self) -> Status:
        def ask() -> Status:
            with AdminClient(self.product.layout, {}) as client:
                return client.get("/v1/status", Status)

        return await asyncio.to_thread(ask)

    async def alarmed(self, words: str, seconds: float = 60) -> None:
        """Until an alarm says so."""
        found: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not any(words in alarm for alarm in found):
                    found = list((await self.status()).alarms)
                    await asyncio.sleep(0.2)
                return
        raise AssertionError(found)

    async def verified(self) -> list[str]:
        """What `pbx audit verify` finds on the running system, but for how it was furnished."""
        said = io.StringIO()
        arguments = ["audit", "verify", "--json", "--data", str(self.product.layout.root)]
        with redirect_stdout(said):
            await asyncio.to_thread(cli.run, arguments)
        found = [finding["sentence"] for finding in json.loads(said.getvalue())["findings"]]
        return [sentence for sentence in found if not self._is_of_furnishing(sentence)]

    def _is_of_furnishing(self, sentence: str) -> bool:
        entry = re.match(r"journal entry (\d+) .* without audit", sentence)
        return entry is not None and int(entry[1]) <= self.furnished


@asynccontextmanager
async def ward(
    folder: Path, *, settings: str = "", stock: int = 0, pin: str = PIN, backup: Path | None = None,
    storage: tuple[str, str] = ("", ""), kind: type[Ward] = Ward,
) -> AsyncIterator[Ward]:  # fmt: skip
    """Furnished, not started. `storage`: a database elsewhere, as its service and its owner."""
    service, owner = storage
    async with Product(folder, settings=settings, storage_url=service, owner_url=owner) as product:
        made = kind(product)
        await made.furnish(pin, stock, backup)
        yield made


def random_bytes(size: int) -> bytes:
    """Without line breaks, which a search would split at."""
    return bytes(octet for octet in primitives.random(2 * size + 64) if octet != 10)[:size]
