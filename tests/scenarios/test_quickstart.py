"""The one command, as a newcomer types it: ready, killed piece by piece, stopped with Ctrl-C."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbx.paths import Layout
from tests.support.installation import SETTINGS

pytestmark = [pytest.mark.phoneless, pytest.mark.timeout(600)]

PBX = (sys.executable, "-P", "-m", "pbx")


def environment() -> dict[str, str]:
    # The three accounts may not write coverage data beside ours; what they run is measured in
    # single-account mode by tests/pbx/test_supervisor.py.
    return {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "COV_"))}


def pbx(*arguments: str, layout: Layout) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PBX, *arguments, "--data", str(layout.root)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )


def children(layout: Layout) -> dict[str, int]:
    """The processes of this installation by what they are, from /proc."""
    found: dict[str, int] = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode().split("\0")
            if "pbx.service" in words and str(layout.root) in words:
                kind = words[words.index("pbx.service") + 1]
                if path.with_name("stat").read_text().rpartition(") ")[2][0] != "Z":
                    index = words[words.index("--index") + 1] if "--index" in words else ""
                    found[kind + index] = int(path.parent.name)
    return found


def until(claim: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@contextlib.contextmanager
def quickstart(layout: Layout) -> Iterator[subprocess.Popen[str]]:
    with (layout.root.parent / "output").open("w+") as output:
        process = subprocess.Popen(
            [*PBX, "quickstart", "--data", str(layout.root)],
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
            env=environment(),
        )
        try:
            until(lambda: "Ctrl-C stops it." in said(layout) or process.poll() is not None)
            assert process.poll() is None, said(layout)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            until(lambda: not children(layout))


def said(layout: Layout) -> str:
    return (layout.root.parent / "output").read_text()


def sockets(layout: Layout) -> list[Path]:
    return [path for path in layout.run.rglob("*") if path.is_socket()]


@pytest.fixture
def layout(open_path: Path) -> Layout:
    layout = Layout(open_path / "pbx")
    assert pbx("init", "--domain", "pbx.test", layout=layout).returncode == 0
    with layout.config_file.open("a") as file:
        file.write(SETTINGS)
    return layout


def test_ctrl_c_leaves_no_process_and_no_socket(layout: Layout) -> None:
    with quickstart(layout) as process:
        status = pbx("status", "--json", layout=layout)
        assert status.returncode == 0, status.stderr
        assert json.loads(status.stdout)["state"] == "ready"
        assert len(children(layout)) == 3

        os.killpg(process.pid, signal.SIGINT)

        assert process.wait(timeout=60) == 0
        assert children(layout) == {}
        assert sockets(layout) == []
    assert "Traceback" not in said(layout)


def test_each_child_killed_in_turn_comes_back_and_nothing_else_dies(layout: Layout) -> None:
    with quickstart(layout):
        for kind in ("keyholder", "worker0", "exchange"):
            before = children(layout)

            os.kill(before[kind], signal.SIGKILL)
            until(lambda kind=kind, old=before[kind]: children(layout).get(kind, old) != old)
            until(lambda: pbx("status", layout=layout).returncode == 0)

            after = children(layout)
            assert {**after, kind: 0} == {**before, kind: 0}


def test_a_killed_supervisor_takes_everything_with_it(layout: Layout) -> None:
    with quickstart(layout) as process:
        os.kill(process.pid, signal.SIGKILL)

        until(lambda: not children(layout), seconds=10)

    with quickstart(layout) as process:
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has several accounts")
def test_root_runs_each_process_under_an_account_of_its_own(layout: Layout) -> None:
    with quickstart(layout):
        owners = {k: Path(f"/proc/{p}/mem").stat().st_uid for k, p in children(layout).items()}
        status = {k: Path(f"/proc/{p}/status").read_text() for k, p in children(layout).items()}
        uids = {k: re.search(r"Uid:\t(\d+)", text)[1] for k, text in status.items()}  # type: ignore[index]

    assert len(set(uids.values())) == 3
    assert "0" not in uids.values()
    # PR_SET_DUMPABLE 0: /proc/PID/mem is root's, other processes of the account stay out.
    assert set(owners.values()) == {0}


def test_no_port_but_the_loopback_s_listens_without_tls(layout: Layout) -> None:
    with quickstart(layout):
        for port in (5060, 80):
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_nothing_written_holds_a_private_key(layout: Layout) -> None:
    secrets = private_keys(layout)
    with quickstart(layout) as process:
        os.kill(children(layout)["exchange"], signal.SIGSEGV)
        until(lambda: pbx("status", layout=layout).returncode == 0)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)

    canary = secrets[0]
    planted = layout.root.parent / "planted"
    planted.write_bytes(b"x" * 1000 + canary)
    assert found_in(layout.root.parent, [canary], layout) == [planted]
    planted.unlink()

    assert found_in(layout.root.parent, secrets, layout) == []


def private_keys(layout: Layout) -> list[bytes]:
    """Every private key, raw and as its PEM's lines; whole bodies would miss a fragment."""
    found = []
    for path in layout.certificates.rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
            block = path.read_bytes().split(b"PRIVATE KEY-----")[1]
            found += [line for line in block.splitlines() if len(line) == 64][:1]
    assert len(found) >= 3
    return found


def found_in(root: Path, secrets: list[bytes], layout: Layout) -> list[Path]:
    """Files outside the credential directory that hold one of them."""
    files = (p for p in root.rglob("*") if p.is_file() and not p.is_relative_to(layout.credentials))
    return [path for path in files if any(s in path.read_bytes() for s in secrets)]
