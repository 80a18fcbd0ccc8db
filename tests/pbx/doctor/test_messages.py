"""What the doctor says of stored messages: it finds what opens, and what was left in clear."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pbx.doctor import messages
from pbx.doctor.finding import Broken, CannotTell
from pbx.paths import Layout
from storage.identifiers import system_clock
from storage.keyholder import protocol
from storage.keyholder.edges import REQUESTS, Edge, Place
from storage.sealed.file import Codec, Header, Sealer
from storage.sealed.greetings import greeting_key
from tests.support.keyholder import FakeTime, House

KEY = bytes(range(32))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    for directory in (made.credentials, made.message_spool, made.keys):
        directory.mkdir(parents=True)
    (made.credentials / "greetings.key").write_bytes(KEY)
    return made


def sealed(layout: Layout, key: bytes) -> Path:
    content = os.urandom(16)
    header = Header.new(content, Codec.PCMU, 1)
    own = greeting_key(KEY, content) if key == b"greeting" else key
    sealer = Sealer(bytearray(own), header)
    data = sealer.head + sealer.segment(bytearray(b"\xff" * 8000), 1000, last=True)
    path = layout.message_spool / f"{content.hex()}.sealed"
    path.write_bytes(data)
    return path


def test_a_message_under_a_key_of_its_own_and_a_greeting_hold(layout: Layout) -> None:
    sealed(layout, os.urandom(32))
    sealed(layout, b"greeting")

    said = messages.opened_by_nothing(layout)

    assert said == "1 messages and 1 greetings, 1 keys tried"


def test_a_message_that_opens_with_our_key_is_found(layout: Layout) -> None:
    sealed(layout, KEY)

    with pytest.raises(Broken, match="opens with a key"):
        messages.opened_by_nothing(layout)


def test_sound_in_clear_is_found(layout: Layout) -> None:
    (layout.message_spool / f"{bytes(16).hex()}.sealed").write_bytes(b"RIFF....WAVEfmt ")

    with pytest.raises(Broken, match="in clear"):
        messages.opened_by_nothing(layout)


def test_without_keys_nothing_can_be_told(tmp_path: Path) -> None:
    made = Layout(tmp_path)
    made.credentials.mkdir()

    with pytest.raises(CannotTell):
        messages.opened_by_nothing(made)


def test_a_key_store_that_can_be_listed_is_broken(layout: Layout) -> None:
    with pytest.raises(Broken, match="can be listed"):
        messages.kept_out(layout.keys)


@contextlib.contextmanager
def answering(layout: Layout, house: House) -> Iterator[None]:
    """The key holder's edge of the exchange, on a loop of its own."""
    assert house.pin is not None
    house.pin.write(layout.keyholder_pin)
    path = layout.keyholder_exchange_socket
    path.parent.mkdir(parents=True, exist_ok=True)
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        edge = Edge(
            Place(path, frozenset({os.getuid()})),
            REQUESTS[protocol.Edge.EXCHANGE],
            house.holder.answer,
        )
        await edge.start()
        ready.set()
        await asyncio.to_thread(stop.wait)
        await edge.stop()

    with ThreadPoolExecutor(1) as threads:
        serving = threads.submit(asyncio.run, serve())
        assert ready.wait(60)
        yield
        stop.set()
        serving.result()
    house.close()


def test_the_lock_out_of_a_canary_is_shown(open_path: Path) -> None:
    layout = Layout(open_path)
    house = House(open_path / "house", time=FakeTime(wall=system_clock()))
    with answering(layout, house):
        said = messages.guesses_refused(layout)

    assert said == "12 guesses at a canary from as many phones, locked out at the 5th"


def test_a_key_holder_that_locks_nobody_out_is_found(open_path: Path) -> None:
    layout = Layout(open_path)
    house = House(open_path / "house", time=FakeTime(wall=system_clock()))
    limits = house.holder._attempts._limits
    house.holder._attempts._limits = msgspec.structs.replace(limits, person=100)
    with answering(layout, house), pytest.raises(Broken, match="never locked"):
        messages.guesses_refused(layout)


def test_a_key_holder_that_does_not_answer_cannot_be_guessed_at(layout: Layout) -> None:
    house = House(layout.root / "house")
    assert house.pin is not None
    house.pin.write(layout.keyholder_pin)
    house.close()

    with pytest.raises(CannotTell, match="does not answer"):
        messages.guesses_refused(layout)
