"""storage/keyholder/process.py"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.keyholder import founding
from storage.keyholder.books import CannotWrite
from storage.keyholder.client import (
    KeyHolder,
    KeyHolderUnavailable,
    Locked,
    OperatorKeyHolder,
    Refused,
)
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.keystores.choice import prepare
from storage.keyholder.keystores.file import PassphraseKeyStore
from storage.keyholder.process import (
    KeyHolderProcess,
    monotonic_clock,
    seal_passphrase,
    wall_clock,
)
from storage.keyholder.protocol import State
from tests.support.keyholder import CHEAP, text
from tests.support.keyholder_process import places

KEYS, EXCHANGE, STRANGER = 61_001, 61_002, 61_003
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs several accounts")


class Running:
    """Key holders of this test, in this process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.processes: list[KeyHolderProcess] = []
        self.config = KeyHolderConfig()

    async def start(self, config: KeyHolderConfig | None = None) -> dict[str, str]:
        own = os.geteuid()
        process = KeyHolderProcess(
            places(self.directory, own, own),
            config or self.config,
            {},
            cost=CHEAP,
            close=lambda: False,
        )
        self.processes.append(process)
        return await process.start()

    async def stop(self) -> None:
        await self.processes.pop().stop()

    def found(self) -> None:
        keystore = prepare(self.config, self.directory / "keys", {})
        founding.create(self.directory / "keys", keystore, self.config, wall_clock)

    def client(self) -> KeyHolder:
        return KeyHolder(self.directory / "exchange.sock", deadline=60)

    def operator(self) -> OperatorKeyHolder:
        return OperatorKeyHolder(self.directory / "operator.sock")


@pytest.fixture
async def running(open_path: Path) -> AsyncIterator[Running]:
    (open_path / "keys").mkdir()
    made = Running(open_path)
    yield made
    for process in made.processes:
        await process.stop()


async def test_an_empty_key_holder_says_so_and_opens_nothing(running: Running) -> None:
    assert await running.start() == {"key holder": "empty"}
    client = running.client()

    assert (await client.ping()).state is State.EMPTY
    with pytest.raises(Locked, match="empty"):
        await client.challenge()
    assert (await client.report()).alarms == ()
    await client.close()


async def test_with_a_key_file_it_starts_unattended(running: Running) -> None:
    running.found()

    assert await running.start() == {"key holder": "ready"}

    client = running.client()
    report = await client.report()
    assert (report.state, report.same_device, report.root_beside) == (State.READY, True, True)
    assert "ocked" in report.memory
    assert (await client.challenge()).key.purpose == "proof"
    await client.close()
    assert await running.processes[0].reload() == {"key holder": "ready"}
    await running.processes[0].drain()


async def test_with_a_passphrase_it_comes_back_locked(running: Running) -> None:
    config = KeyHolderConfig(root="passphrase")
    keystore = PassphraseKeyStore(text("typed at the door"), CHEAP)
    founding.create(running.directory / "keys", keystore, config, wall_clock)
    assert await running.start(config) == {"key holder": "locked"}
    client, operator = running.client(), running.operator()
    with pytest.raises(Locked, match="locked"):
        await client.challenge()
    key = await operator.unlock_key()
    for wrong in (b"noise", seal_passphrase(key, text("wrong"))):
        with pytest.raises(Refused):
            await operator.unlock(wrong)

    pong = await operator.unlock(seal_passphrase(key, text("typed at the door")))

    assert pong.state is State.READY
    assert (await client.challenge()).key.purpose == "proof"
    with pytest.raises(Exception, match="key holder is ready"):
        await operator.unlock(b"")
    await client.close()
    await operator.close()


async def test_a_missing_key_file_leaves_it_locked_with_the_reason(running: Running) -> None:
    running.found()
    (running.directory / "keys" / "root.key").unlink()

    assert await running.start() == {"key holder": "locked"}

    operator = running.operator()
    assert "missing" in (await operator.report()).alarms[0]
    await operator.close()


async def test_a_store_put_back_is_an_alarm_at_start(running: Running) -> None:
    running.found()
    store = running.directory / "keys" / "store"
    shutil.copy(store, running.directory / "old")
    await running.start()
    await running.stop()
    shutil.copy(running.directory / "old", store)

    assert await running.start() == {"key holder": "alarmed"}

    client = running.client()
    with pytest.raises(Locked, match="alarmed"):
        await client.touch(b"")
    assert "older copy" in (await client.report()).alarms[0]
    await client.close()


async def test_a_disk_that_refuses_at_start_is_said(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.found()

    def refuse(*_: object, **__: object) -> None:
        raise CannotWrite("journal: cannot be written")

    monkeypatch.setattr(founding, "open_core", refuse)

    assert await running.start() == {"key holder": "full"}


async def test_guessing_from_fifty_connections_leaves_the_others_responsive(
    running: Running,
) -> None:
    """Real sockets, real argon2id at its real cost."""
    from storage.keyholder import acts
    from storage.keyholder.proofs import seal_proof
    from storage.keyholder.protocol import Origin, Proof, Protected
    from storage.keyholder.signing import Pin
    from storage.sealed.primitives import Argon2
    from tests.support.keyholder import evidence

    keystore = prepare(running.config, running.directory / "keys", {})
    pin: Pin = founding.create(running.directory / "keys", keystore, running.config, wall_clock)
    own = os.geteuid()
    process = KeyHolderProcess(
        places(running.directory, own, own), running.config, {}, cost=Argon2(), close=lambda: True
    )
    running.processes.append(process)
    await process.start()
    loop, longest, pings = asyncio.get_running_loop(), 0.0, 0
    clients = [running.client() for _ in range(50)]

    async def guess(number: int) -> bool:
        client, act = clients[number], acts.LogIn("root")
        challenge = await client.challenge()
        sealed, _ = seal_proof(
            pin.signing_key, challenge, act, Protected(password=text("guess")), now=wall_clock()
        )
        proof = Proof(sealed, Origin("one phone", "10.0.0.1"))
        with pytest.raises(Refused):
            await client.perform(act, proof, evidence())
        return True

    guessing = asyncio.gather(*(guess(number) for number in range(50)))
    other = running.client()
    while not guessing.done():
        before = loop.time()
        await other.ping()
        longest, pings = max(longest, loop.time() - before), pings + 1
        await asyncio.sleep(0)

    assert await guessing == [True] * 50
    print(f"{pings} pings meanwhile, the slowest {longest * 1000:.0f} ms")
    assert pings > 20, "nobody waits for all the guesses"
    for client in (*clients, other):
        await client.close()


def test_the_clocks_tell_microseconds() -> None:
    assert wall_clock() > 1_700_000_000_000_000
    assert 0 < monotonic_clock() < wall_clock()


@pytest.fixture
def separate(open_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A key holder under an account of its own; everybody may knock, nobody else gets in."""
    open_path.chmod(0o777)
    (open_path / "keys").mkdir(mode=0o700)
    keystore = prepare(KeyHolderConfig(), open_path / "keys", {})
    founding.create(open_path / "keys", keystore, KeyHolderConfig(), wall_clock)
    for path in (open_path / "keys", *(open_path / "keys").iterdir()):
        os.chown(path, KEYS, KEYS)
    command = [sys.executable, "-m", "tests.support.keyholder_process", str(open_path)]
    command += [str(EXCHANGE), str(EXCHANGE)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        user=KEYS,
        group=KEYS,
        extra_groups=[],
    )
    assert process.stdout is not None
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    for name in ("exchange", "worker", "operator"):
        (open_path / f"{name}.sock").chmod(0o666)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


TRIES = """
import ctypes, os, signal, socket, sys
directory, number = sys.argv[1], int(sys.argv[2])
def refused(what, call):
    try:
        call()
    except OSError as error:
        print(what, type(error).__name__)
    else:
        print(what, "WORKED")
def talk(name):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{directory}/{name}.sock")
        client.sendall(bytes.fromhex("00000008") + bytes.fromhex("920181a361736ba4")[:8])
        if client.recv(1) == b"":
            raise ConnectionResetError
def trace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, number, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
refused("store", lambda: open(f"{directory}/keys/store", "rb"))
refused("list", lambda: os.listdir(f"{directory}/keys"))
refused("memory", lambda: open(f"/proc/{number}/mem", "rb"))
refused("environment", lambda: open(f"/proc/{number}/environ", "rb"))
refused("ptrace", trace)
refused("signal", lambda: os.kill(number, signal.SIGTERM))
for edge in sys.argv[3:]:
    refused(edge, lambda: talk(edge))
"""


@AS_ROOT
@pytest.mark.parametrize(
    ("account", "edges"),
    [(EXCHANGE, ["operator"]), (STRANGER, ["exchange", "worker", "operator"])],
)
def test_other_accounts_are_kept_out_of_store_memory_and_sockets(
    separate: "subprocess.Popen[str]", open_path: Path, account: int, edges: list[str]
) -> None:
    tried = subprocess.run(
        [sys.executable, "-c", TRIES, str(open_path), str(separate.pid), *edges],
        capture_output=True,
        text=True,
        user=account,
        group=account,
        extra_groups=[],
    )
    separate.send_signal(signal.SIGTERM)
    assert separate.wait(60) == 0

    assert tried.returncode == 0, tried.stderr
    lines = tried.stdout.split("\n")[:-1]
    assert len(lines) == 6 + len(edges), tried.stderr
    assert "WORKED" not in tried.stdout


@AS_ROOT
def test_the_tries_work_where_nothing_is_separated(open_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    (open_path / "keys").mkdir()
    (open_path / "keys" / "store").touch()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(open_path / "exchange.sock"))
    listener.listen()
    sleeper = subprocess.Popen(["sleep", "60"])
    tried = subprocess.Popen(
        [sys.executable, "-c", TRIES, str(open_path), str(sleeper.pid), "exchange"],
        stdout=subprocess.PIPE,
        text=True,
    )
    connection, _ = listener.accept()
    connection.sendall(b"x")
    out, _ = tried.communicate()
    connection.close()
    listener.close()
    sleeper.kill()  # it may still be stopped by the trace
    sleeper.wait()
    assert out.count("WORKED") == 7


async def test_nobody_answers_where_nothing_runs(running: Running) -> None:
    client = running.client()
    with pytest.raises(KeyHolderUnavailable):
        await client.ping()
    await client.close()
