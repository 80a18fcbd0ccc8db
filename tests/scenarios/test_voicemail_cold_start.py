"""A cold start with the database stopped and the key holder empty: callers reach voicemail.

They hear the greeting that its owner recorded, and what they say is kept, sealed, until both are
back. The product runs as `pbx serve` starts it, under its accounts where root runs this.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from media.worker.codecs.g711 import decode_ulaw
from pbx.paths import Layout
from storage import deposits
from storage.deposits import Finished
from storage.keyholder import founding
from storage.messages import MessageState
from tests.support import postgres
from tests.support.postgres import Cluster
from tests.support.terminal import Run
from tests.support.tone import seconds_of
from tests.support.voicemail_calls import HERTZ, past_beep, sign_in
from tests.support.ward import Ward, ward

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
OWN = 450.0


@pytest.fixture
async def clinic(open_path: Path, postgres_cluster: Cluster) -> AsyncIterator[tuple[Ward, Cluster]]:
    with postgres_cluster.database() as name:
        postgres_cluster.sockets.chmod(0o755)
        service, owner = [
            postgres_cluster.url(role, name).render_as_string()
            for role in (postgres.SERVICE, postgres.OWNER)
        ]
        async with ward(open_path, storage=(service, owner)) as made:
            yield made, postgres_cluster


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    cluster.stop()
    try:
        yield
    finally:
        cluster.start()


async def record_greeting(clinic: Ward) -> None:
    async with clinic.calling("bob", "*97") as bob:
        await sign_in(bob)
        await bob.prompted("vm-none")
        bob.press("*")
        await bob.prompted("vm-settings")
        bob.press("1")
        await past_beep(bob)
        await bob.say(OWN, 1.5)
        bob.press("#")
        await bob.prompted("vm-keep")
        bob.press("1")
        await bob.prompted("vm-done")
        await bob.hang_up()


async def test_callers_hear_the_greeting_and_leave_a_message_without_database_and_key_holder(
    clinic: tuple[Ward, Cluster],
) -> None:
    here, cluster = clinic
    layout = here.product.layout
    async with here.served():
        async with asyncio.timeout(120):
            while not (layout.credentials / "deposit.public").exists():  # noqa: ASYNC110 - others'
                await asyncio.sleep(0.1)
        await record_greeting(here)
    away = layout.root.parent / "away"
    away.mkdir()
    move(layout.keys, away)

    with ExitStack() as stack:
        stack.enter_context(stopped(cluster))
        await at_a_cold_start(here, away, stack)

    [message] = await here.rows()
    with here.key_store() as store:
        sound = list(decode_ulaw(here.audio(message, store)))
    assert message.state is MessageState.NEW
    assert seconds_of(sound, 8_000, HERTZ) > 1.0
    assert "Traceback" not in here.product.log


async def at_a_cold_start(here: Ward, away: Path, database: ExitStack) -> None:
    """Closing `database` brings it back."""
    layout = here.product.layout
    async with here.served():
        async with here.calling("alice", "*981002") as caller:
            caller.speak()
            await caller.hears(OWN, 0.6)
            await past_beep(caller)
            await caller.say(HERTZ, 1.5)
            await caller.hang_up()
        async with asyncio.timeout(60):
            while not finished(layout):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.1)
        await here.alarmed("wait, sealed, for a ledger")

        database.close()
        move(away, layout.keys)
        os.kill(Run(layout, layout.root).children()["keyholder"], signal.SIGKILL)
        await here.settled()


def move(here: Path, there: Path) -> None:
    """The key holder's store and journal: without them it is there, and holds nothing."""
    for path in list(here.iterdir()):
        if path.name.startswith((founding.STORE, founding.JOURNAL)):
            path.rename(there / path.name)


def finished(layout: Layout) -> bool:
    return any(isinstance(one, Finished) for one in deposits.read(layout.deposit_log))
