"""Code that runs as the exchange's account, beside the key holder (SECURITY.md, accounts)."""

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pbx.config import load
from pbx.installation import Plan, initialise
from pbx.paths import Layout
from pbx.processes import accounts, hardening
from pbx.processes.accounts import Account, Accounts
from pbx.processes.notify import Systemd
from pbx.supervisor import Supervisor
from storage.keyholder.surroundings import capabilities
from tests.support.installation import SETTINGS

pytestmark = [
    pytest.mark.phoneless,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has several accounts"),
    pytest.mark.timeout(600),
]

TRY = """
import ctypes, json, os, socket, sys
keys, run, pid = sys.argv[1], sys.argv[2], int(sys.argv[3])

def connect(name):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(10)
        one.connect(f"{run}/{name}/keyholder.sock")
        one.sendall(b"\\x00\\x00\\x00\\x0c\\x92\\x01\\x81\\xa3ask\\xa4ping")
        if not one.recv(1):
            raise PermissionError("closed")

def ptrace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(0x4206, pid, 0, 0) != 0:  # PTRACE_SEIZE: does not stop it
        raise OSError(ctypes.get_errno(), "ptrace")

tries = {
    "list the key store": lambda: os.listdir(keys),
    "read the key store": lambda: open(f"{keys}/store", "rb").read(1),
    "read the journal": lambda: open(f"{keys}/journal", "rb").read(1),
    "ptrace": ptrace,
    "memory": lambda: open(f"/proc/{pid}/mem", "rb").close(),
    "environment": lambda: open(f"/proc/{pid}/environ", "rb").read(1),
    "signal": lambda: os.kill(pid, 0),
    "exchange socket": lambda: connect("keyholder-exchange"),
    "worker socket": lambda: connect("keyholder-worker"),
    "operator socket": lambda: connect("keyholder-operator"),
}
done = []
for name, attempt in tries.items():
    try:
        attempt()
        done.append(name)
    except OSError:
        pass
print(json.dumps(done))
"""


@contextlib.asynccontextmanager
async def served(root: Path) -> AsyncIterator[tuple[Layout, Accounts, int]]:
    """Three accounts at work; the process number of the key holder."""
    layout, owners = Layout(root), accounts.ensure()
    plan = Plan(layout=layout, domain="pbx.test", addresses=("127.0.0.1",))
    await asyncio.to_thread(initialise, plan, owners)
    with layout.config_file.open("a") as file:
        file.write(SETTINGS)
    config = load(layout.config_file)
    hardening.allow_locked_memory()
    accounts.lay_out(accounts.places(layout, owners, config.media.worker_count))
    ready: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
    supervisor = Supervisor(layout, config, owners, Systemd(None, None), ready.set_result)
    running = asyncio.create_task(supervisor.run())
    await asyncio.wait((ready, running), return_when=asyncio.FIRST_COMPLETED)
    assert ready.done(), "it did not start"
    (keyholder,) = (p.pid for p in supervisor.snapshot() if p.name == "keyholder")
    assert keyholder is not None
    try:
        yield layout, owners, keyholder
    finally:
        os.kill(os.getpid(), 15)
        await running


async def tried(layout: Layout, pid: int, account: Account) -> set[str]:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "-c", TRY, str(layout.keys), str(layout.run), str(pid)],
        capture_output=True,
        text=True,
        check=True,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
    )
    return set(json.loads(done.stdout))


async def test_each_account_reaches_what_is_its_own_and_nothing_else(
    open_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in os.environ if n.startswith(("COVERAGE_", "COV_"))]:
        monkeypatch.delenv(name)  # the accounts may not write coverage data beside ours
    async with served(open_path / "pbx") as (layout, owners, pid):
        exchange = await tried(layout, pid, owners.exchange)
        media = await tried(layout, pid, owners.media)
        keys = await tried(layout, pid, owners.keys)
        root = await tried(layout, pid, Account("root", 0, 0))
        status = await asyncio.to_thread(Path(f"/proc/{pid}/status").read_text)

    assert exchange == {"exchange socket"}
    assert media == {"worker socket"}
    store = {"list the key store", "read the key store", "read the journal"}
    # Its own account may signal it; its memory is shut even to that.
    assert keys == store | {"signal", "operator socket"}
    assert root >= store | {"memory", "environment", "signal", "operator socket"}
    unlimited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY
    if unlimited or capabilities() >> 14 & 1:  # root may raise the limit, or lock without
        locked = next(line for line in status.splitlines() if line.startswith("VmLck"))
        assert int(locked.split()[1]) > 0, "the key holder's memory is locked"
