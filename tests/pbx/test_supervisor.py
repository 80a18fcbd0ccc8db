import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pbx.admin.models import Process, Status
from pbx.cli.client import AdminClient
from pbx.paths import Layout
from pbx.processes.notify import Systemd
from pbx.supervisor import AlreadyServing, Stopped, Supervisor
from tests.support.installation import serving

pytestmark = pytest.mark.timeout(600)  # real processes, on a machine that may be busy

CHILDREN = ("keyholder", "worker-0", "exchange")
READ = "configuration and certificates were read again"


def process(supervisor: Supervisor, name: str) -> Process:
    return next(p for p in supervisor.snapshot() if p.name == name)


async def until(claim: Callable[[], bool], seconds: float = 60) -> None:
    """Waits for a claim about other processes to come true; they raise no event here."""
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110  # another process has no event to wait for
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


async def test_everything_is_ready_and_nothing_is_left_afterwards(installation: Layout) -> None:
    async with serving(installation) as served:
        assert served.facts["metrics"].startswith("http://127.0.0.1:")
        pids = {name: process(served.supervisor, name).pid or 0 for name in CHILDREN}
        assert all(map(is_alive, pids.values()))
        ahead = {name for name, pid in pids.items() if os.sched_getscheduler(pid) & os.SCHED_RR}
        assert ahead == ({"worker-0"} if os.geteuid() == 0 else set())

    assert not any(map(is_alive, pids.values()))
    assert not [path for path in installation.run.rglob("*") if path.is_socket()]


async def test_management_over_tls_opens_where_it_is_told_to_and_nowhere_else(
    installation: Layout,
) -> None:
    with installation.config_file.open("a") as file:
        file.write('[admin]\nlisten = "127.0.0.1:0"\n')
    async with serving(installation) as served:
        address, _, port = served.facts["management over TLS"].rpartition(":")
        with socket.create_connection((address, int(port))) as probe:
            probe.sendall(b"GET /v1/status HTTP/1.1\r\nHost: pbx\r\n\r\n")
            assert b"HTTP" not in await asyncio.to_thread(probe.recv, 100)
        with AdminClient(installation) as client:
            status = await asyncio.to_thread(client.get, "/v1/status", Status)
    assert not [alarm for alarm in status.alarms if "management" in alarm]


@pytest.mark.parametrize("name", CHILDREN)
async def test_a_killed_child_comes_back_alone(installation: Layout, name: str) -> None:
    async with serving(installation) as served:
        before = {n: process(served.supervisor, n).pid for n in CHILDREN}
        victim = before[name]
        assert victim is not None

        os.kill(victim, signal.SIGKILL)
        await until(lambda: process(served.supervisor, name).restarts == 1)
        await until(lambda: process(served.supervisor, name).state == "ready")

        after = {n: process(served.supervisor, n).pid for n in CHILDREN}
        assert after[name] != victim
        assert {**after, name: victim} == before


async def test_sigusr1_puts_a_new_exchange_in_the_place_of_the_old_one(
    installation: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(installation) as served:
        before = {n: process(served.supervisor, n).pid for n in CHILDREN}

        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: process(served.supervisor, "exchange").restarts == 1)
        await until(lambda: process(served.supervisor, "exchange").state == "ready")

        after = {n: process(served.supervisor, n).pid for n in CHILDREN}
        assert after["exchange"] != before["exchange"]
        assert {**after, "exchange": None} == {**before, "exchange": None}
        said = capsys.readouterr().err
        assert "gave way" in said
        assert "died" not in said


async def test_a_child_that_cannot_start_is_tried_again_and_nothing_else_dies(
    installation: Layout,
) -> None:
    async with serving(installation) as served:
        good = installation.config_file.read_text()
        installation.config_file.write_text("nonsense")
        pid = process(served.supervisor, "worker-0").pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: process(served.supervisor, "worker-0").restarts >= 2)
        assert process(served.supervisor, "exchange").state == "ready"

        installation.config_file.write_text(good)

        await until(lambda: process(served.supervisor, "worker-0").state == "ready")


async def test_a_child_that_hangs_is_replaced(installation: Layout, monkeypatch) -> None:
    monkeypatch.setattr("pbx.supervisor.PING_EVERY", 0.05)
    monkeypatch.setattr("pbx.processes.child.SILENT_FOR", 5.0)  # nobody else hangs so long
    async with serving(installation) as served:
        pid = process(served.supervisor, "worker-0").pid
        assert pid is not None

        os.kill(pid, signal.SIGSTOP)

        await until(lambda: process(served.supervisor, "worker-0").restarts >= 1)
        assert not is_alive(pid)


async def test_nobody_hung_while_everything_stood_still(
    installation: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container is paused, a machine is moved: afterwards it is much later at once."""
    monkeypatch.setattr("pbx.supervisor.PING_EVERY", 0.005)
    async with serving(installation) as served:
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 3_600)
        monkeypatch.setattr("pbx.processes.child.time", later)

        for _ in range(5):  # each of them is asked for signs of life meanwhile
            said = []
            os.kill(os.getpid(), signal.SIGHUP)
            await until(
                lambda said=said: said.append(capsys.readouterr().err) or READ in "".join(said)
            )

        assert [p.restarts for p in served.supervisor.snapshot()] == [0, 0, 0]


async def test_the_exchange_knows_how_every_process_is_doing(installation: Layout) -> None:
    async with serving(installation):
        with AdminClient(installation) as client:
            answer = await asyncio.to_thread(client.get, "/v1/status", Status)

    assert {p.name: p.state for p in answer.processes} == dict.fromkeys(CHILDREN, "ready")
    assert answer.mode.startswith("single-account mode")
    assert answer.sections["ledger"]["can be written"] == "yes"


@contextmanager
def manager(path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """What systemd would be: its address, and what it was told, of which nothing is missed."""
    said: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(path))
        told.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(told, lambda: said.append(told.recv(4096)))
        yield told.getsockname(), said
        loop.remove_reader(told)


async def test_hangup_reads_the_configuration_again_and_drops_nothing(
    installation: Layout, open_path: Path
) -> None:
    with manager(open_path / "notify") as (address, said):
        await reloads(installation, Systemd(address, 0.2), said)


async def reloads(installation: Layout, systemd: Systemd, said: list[bytes]) -> None:
    async with serving(installation, systemd) as served:
        pids = {n: process(served.supervisor, n).pid for n in CHILDREN}
        with socket.socket(socket.AF_UNIX) as held:
            held.connect(str(installation.admin_socket))
            with installation.config_file.open("a") as file:
                file.write("[logs]\ndebug = true\n")

            await until(lambda: any(m.startswith(b"READY=1") for m in said))
            said.clear()
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: any(m.startswith(b"RELOADING=1") for m in said))
            await until(lambda: any(m.startswith(b"READY=1") for m in said))
            assert process(served.supervisor, "exchange").state == "ready"

            held.sendall(b"GET /v1/status HTTP/1.1\r\nHost: pbx\r\n\r\n")
            assert await asyncio.to_thread(held.recv, 15) == b"HTTP/1.1 200 OK"
        assert {n: process(served.supervisor, n).pid for n in CHILDREN} == pids


async def test_a_configuration_that_is_wrong_is_refused_and_the_old_one_stays(
    installation: Layout, capsys
) -> None:
    async with serving(installation) as served:
        installation.config_file.write_text("[metrics]\nprot = 1\n")

        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0)
        await until(lambda: "there is no such key" in capsys.readouterr().err)

        assert process(served.supervisor, "exchange").state == "ready"


async def test_systemd_is_told_of_every_state(installation: Layout, open_path: Path) -> None:
    with manager(open_path / "notify") as (address, said):
        async with serving(installation, Systemd(address, 0.2)) as served:
            await until(lambda: any(m.startswith(b"READY=1") for m in said))
            assert b"WATCHDOG=1" in said
            said.clear()
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: any(m.startswith(b"RELOADING=1") for m in said))
            await until(lambda: any(m.startswith(b"READY=1") for m in said))
            await served.stop()
        await until(lambda: b"STOPPING=1" in said)


async def test_a_second_supervisor_of_the_same_data_is_refused(installation: Layout) -> None:
    async with serving(installation):
        with pytest.raises(AlreadyServing):
            async with serving(installation):
                pass


async def test_a_reason_not_to_start_stops_everything_and_is_told(installation: Layout) -> None:
    installation.database_file.unlink()
    installation.database_file.touch()

    with pytest.raises(Stopped, match="pbx db upgrade") as caught:
        async with serving(installation):
            pass

    assert caught.value.code in {2, 4}


@pytest.mark.parametrize("key", ["[metrics]\nport", "certificate_port"])
async def test_a_taken_port_is_a_sentence(installation: Layout, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        text = installation.config_file.read_text()
        port = taken.getsockname()[1]
        installation.config_file.write_text(text.replace(f"{key} = 0", f"{key} = {port}"))

        with pytest.raises(Stopped, match="already in use"):
            async with serving(installation):
                pass


async def test_a_second_signal_ends_at_once(installation: Layout) -> None:
    async with serving(installation) as served:
        started = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        await served.running

    assert time.monotonic() - started < 30
