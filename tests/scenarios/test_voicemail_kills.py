"""kill -9 of exchange, worker and key holder while messages are left, heard, sent on and destroyed.

At calls that make something durable, counted from the beginning of what is done, and at random
moments. VOICEMAIL_KILLS=200 makes it the long run; the seed is printed, PBX_SEED gives it again.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from media.worker.codecs.g711 import decode_ulaw
from pbx.cli.failures import CommandError
from storage import deposits
from storage.deposits import Progressed
from storage.keyholder.records import Tombstone
from storage.messages import VISIBLE, Message, MessageState
from storage.sealed.file import SEGMENT_MS
from tests.support.disk_shim import environment as disk
from tests.support.disk_shim import heard
from tests.support.mailroom import FRAME
from tests.support.tone import seconds_of
from tests.support.voicemail_calls import HERTZ, sign_in, to_beep
from tests.support.ward import ALL, DAY, Ward, ward

KILLS = int(os.environ.get("VOICEMAIL_KILLS", "2"))
SEED = int(os.environ.get("PBX_SEED", random.randrange(2**32)))
LATEST = {"record": 24, "listen": 16, "send on": 24, "destroy": 24}
"""About how many durable calls each of these makes in a process."""
LASTS = {"record": 5.5, "listen": 3.5, "send on": 4.0, "destroy": 2.5}
"""Seconds in which a random moment lies."""
SPOKEN = 3.5
"""Seconds that somebody speaks to be recorded."""
DUE = 3
"""Messages to be destroyed in each round of that."""
LATER = {"credentials/deposit.public", "credentials/records.public", "run/admin/api.sock"}
"""Files that an exchange makes soon after its first start."""
SETTINGS = "[voicemail]\npurge_first_seconds = 1\n"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 60 * KILLS)]


@dataclass
class Spoken:
    """What a caller says, by packets: those that went before it, and those of it."""

    received: int
    """By the worker, before this caller spoke."""
    before: int = 0
    packets: int = 0

    def arrived(self, received: int) -> float:
        """Seconds of it that the worker had; what waits in a socket it has not."""
        return FRAME * max(min(received - self.received - self.before, self.packets), 0)


@dataclass
class Torture:
    """One ward, killed again and again."""

    ward: Ward
    dice: random.Random
    known: dict[UUID, Message] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    spoken: Spoken | None = None
    speaks: asyncio.Event = field(default_factory=asyncio.Event)
    lost: list[float] = field(default_factory=list)
    reached: int = 0
    """Points that killed; the others lay behind the end of what was done."""

    @property
    def received(self) -> Path:
        return self.ward.product.folder / "received"

    # -- what is done meanwhile

    async def record(self) -> None:
        received = heard(self.received)
        async with self.ward.calling("alice", "*981002") as caller:
            caller.speak()
            await to_beep(caller)
            caller.speak(HERTZ)
            self.spoken = spoken = Spoken(received, caller.sent)
            self.speaks.set()
            try:
                await asyncio.sleep(SPOKEN)
            finally:
                spoken.packets = caller.sent - spoken.before
                caller.speak()
            await caller.hang_up()
            await asyncio.sleep(1)

    async def listen(self) -> None:
        async with self.ward.calling("bob", "*97") as caller:
            await sign_in(caller)
            await asyncio.sleep(1.0)
            await caller.press_slowly("23", gap=0.5)
            await caller.hang_up()

    async def send_on(self) -> None:
        async with self.ward.calling("bob", "*97") as caller:
            await sign_in(caller)
            await asyncio.sleep(0.6)
            await caller.press_slowly("8", gap=0.6)
            await caller.press_slowly("1001#", gap=0.2)
            await caller.press_slowly("#", gap=1.5)
            await caller.hang_up()

    async def destroy(self) -> None:
        """By the purge that follows a start of the exchange."""
        await self.ward.product.kill("exchange", signal.SIGTERM)
        await self.ward.product.start(["exchange"])
        await asyncio.sleep(LASTS["destroy"])

    # -- one round

    async def round(self, what: str, victim: str, point: tuple[int, int] | None) -> None:
        self.spoken = None
        self.speaks.clear()
        due = self.make_due() if what == "destroy" else []
        acts: dict[str, Callable[[], Awaitable[None]]] = {
            "record": self.record, "listen": self.listen, "send on": self.send_on,
            "destroy": self.destroy,
        }  # fmt: skip
        doing = asyncio.ensure_future(acts[what]())
        process = self.ward.product.processes[victim]
        if point is None:
            await self.a_while(what, doing)
        else:
            arm(self.ward, victim).write_text("{} {}".format(*point))
            dying = asyncio.ensure_future(process.wait())
            await asyncio.wait({doing, dying}, return_when=asyncio.FIRST_COMPLETED)
            self.reached += dying.done()
            dying.cancel()
        if what == "destroy" and victim == "exchange":
            await self.while_it_starts(doing)
        else:
            await self.ward.product.kill(victim)
            await asyncio.wait({doing}, timeout=1)
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
        arm(self.ward, victim).unlink(missing_ok=True)
        committed = {one.id: one for one in await self.ward.rows()}
        durable = self.durable()
        await self.back([name for name in ALL if self.is_away(name)])
        await self.ward.settled()
        await self.destroyed(due)
        await self.check(committed, durable)

    async def a_while(self, what: str, doing: asyncio.Future[None]) -> None:
        """Until a random moment, of a recording mostly one in which something is said."""
        if what == "record" and self.dice.random() < 0.8:
            speaking = asyncio.ensure_future(self.speaks.wait())
            await asyncio.wait({doing, speaking}, return_when=asyncio.FIRST_COMPLETED)
            speaking.cancel()
            await asyncio.sleep(self.dice.uniform(0, SPOKEN + 0.5))
        else:
            await asyncio.sleep(self.dice.uniform(0, LASTS[what]))

    async def while_it_starts(self, doing: asyncio.Future[None]) -> None:
        """It may be killed before it listens."""
        await asyncio.wait({doing}, timeout=LASTS["destroy"])
        with suppress(KeyError):
            await self.ward.product.kill("exchange")
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)

    def is_away(self, name: str) -> bool:
        process = self.ward.product.processes.get(name)
        return process is None or process.returncode is not None

    async def back(self, names: list[str]) -> None:
        """Until calls have media again: else the next round does nothing."""
        await self.ward.product.start(names)
        async with asyncio.timeout(120):
            while not await self.has_media():  # noqa: ASYNC110 - of other processes
                await asyncio.sleep(0.1)

    async def has_media(self) -> bool:
        with suppress(CommandError):
            sections = (await self.ward.status()).sections.values()
            return any(facts.get("media workers") == "1 of 1" for facts in sections)
        return False

    def make_due(self) -> list[UUID]:
        """Hidden by their owner long ago, and the key holder's clock agrees."""
        ids = [one.id for one in self.known.values() if one.state in VISIBLE and one.adopted_at]
        ids = [
            id for id in ids if self.known[id].received_at < time.time_ns() // 1000 - DAY * 10**6
        ]
        chosen = self.dice.sample(ids, min(DUE, len(ids)))
        for id in chosen:
            self.ward.execute(
                "UPDATE message SET state = 'deleted', state_at = 1 WHERE id = ?", id.bytes
            )
        return chosen

    async def destroyed(self, due: list[UUID]) -> None:
        """What was due is destroyed in the end, by another purge if need be."""
        for _ in range(3):
            async with asyncio.timeout(60):
                for _ in range(40):
                    rows = {one.id: one.state for one in await self.ward.rows()}
                    if all(rows[id] is MessageState.DESTROYED for id in due):
                        return
                    await asyncio.sleep(0.1)
            await self.ward.product.kill("exchange", signal.SIGTERM)
            await self.back(["exchange"])
        raise AssertionError("not destroyed")

    # -- what has to be so afterwards

    def durable(self) -> dict[bytes, int]:
        """Segments of recordings under way that the exchange was told are on the disk."""
        found: dict[bytes, int] = {}
        for record in deposits.read(self.ward.product.layout.deposit_log):
            if isinstance(record, Progressed):
                found[record.content] = record.segments
        begun = self.ward.begun()
        return {content: count for content, count in found.items() if content in begun}

    async def check(self, committed: dict[UUID, Message], durable: dict[bytes, int]) -> None:
        rows = {one.id: one for one in await self.ward.rows()}
        assert rows.keys() >= self.known.keys() | committed.keys(), "a message is lost"
        alive = [one for one in rows.values() if one.state is not MessageState.DESTROYED]
        with self.ward.key_store() as store:
            for one in alive:
                assert self.ward.opened(one, store) == one.milliseconds
            for one in rows.values():
                is_dead = one.state is MessageState.DESTROYED
                assert (store.get(Tombstone, one.id) is not None) == is_dead
                assert bool(one.certificate) == is_dead
        for before in (*self.known.values(), *committed.values()):
            assert rows[before.id].digest == before.digest
            if before.state is MessageState.DESTROYED:
                assert rows[before.id].state is MessageState.DESTROYED
        files = {path.name for path in self.ward.product.layout.message_spool.iterdir()}
        assert files == {self.ward.file(one).name for one in alive}
        assert names(self.ward) <= self.names, "a file nobody accounts for"
        assert await self.ward.verified() == []
        assert "Traceback" not in self.ward.product.log
        assert self.ward.count("message.damaged") == 0, "no crash takes what was durable"
        by_content = {one.content: one for one in rows.values()}
        for content, segments in durable.items():
            if segments * SEGMENT_MS >= 1_000:
                assert by_content[content].segments >= segments, "durable seconds are lost"
        new = [one for one in rows.values() if one.id not in self.known]
        if self.spoken is not None:
            arrived = self.spoken.arrived(heard(self.received))
            self.lost.append(arrived - sum(map(self.heard_in, new)))
            print(f"{arrived:.2f} s had arrived, {self.lost[-1]:.2f} s are lost", flush=True)
            assert self.lost[-1] <= 1.0, "more than a second of what had arrived is lost"
        self.known = rows

    def heard_in(self, message: Message) -> float:
        with self.ward.key_store() as store:
            samples = decode_ulaw(self.ward.audio(message, store))
        return seconds_of(list(samples), 8_000, HERTZ)


def arm(ward: Ward, name: str) -> Path:
    return ward.product.folder / f"arm-{name}"


def names(ward: Ward) -> frozenset[str]:
    """Every file but messages; a database and a journal have parts that come and go."""
    root = ward.product.layout.root
    found = (path.relative_to(root) for path in root.rglob("*"))
    plain = {str(path) for path in found if path.parent.parts[-1:] != ("messages",)}
    return frozenset(
        name.removesuffix("-wal").removesuffix("-shm")
        for name in plain
        if not name.startswith("keys/journal")
    )


@pytest.fixture
async def torture(open_path: Path) -> AsyncIterator[Torture]:
    async with ward(open_path, settings=SETTINGS, stock=max(2 * KILLS, 6)) as made:
        for name in ALL:
            made.product.variables[name] = {
                name: text for name, text in disk().items() if name == "LD_PRELOAD"
            } | {
                "DISK_ARM": str(arm(made, name)),
                "DISK_HEARD": str(made.product.folder / "received"),
            }
        await made.serve()
        async with made.phone("alice"):  # else a run without a call would show no phone at all
            pass
        torture = Torture(made, random.Random(SEED), {one.id: one for one in await made.rows()})
        torture.names = names(made) | LATER
        yield torture


async def test_killed_at_any_moment_nothing_acknowledged_is_lost(torture: Torture) -> None:
    print(f"seed {SEED}, {KILLS} kills")
    points = [
        (what, victim, (call, after))
        for what, latest in LATEST.items()
        for victim, call, after in product(ALL, range(1, latest + 1), (0, 1))
    ]
    torture.dice.shuffle(points)  # each of them comes once
    for number in range(KILLS):
        what, victim, point = points[number % len(points)]
        is_point = number % 3 < 2
        print(number, what, victim, point if is_point else "at a random moment", flush=True)
        await torture.round(what, victim, point if is_point else None)
    print(f"{torture.reached} at their points")
    print("seconds lost:", " ".join(f"{lost:.2f}" for lost in sorted(torture.lost)))
