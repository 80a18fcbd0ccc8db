import os
import socket
from pathlib import Path

import pytest

from pbx.processes.notify import Systemd


@pytest.fixture
def manager(open_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(open_path / "notify"))
        channel.setblocking(False)
        yield channel


def test_each_state_is_one_datagram(manager) -> None:
    systemd = Systemd.of({"NOTIFY_SOCKET": manager.getsockname()})

    systemd.ready("all is up")
    systemd.reloading()
    systemd.alive()
    systemd.stopping()

    said = [manager.recv(4096).decode() for _ in range(4)]
    assert said[0] == "READY=1\nSTATUS=all is up"
    assert said[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert said[2:] == ["WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(f"\0pbx-test-{os.getpid()}")

        Systemd.of({"NOTIFY_SOCKET": f"@pbx-test-{os.getpid()}"}).alive()

        assert channel.recv(64) == b"WATCHDOG=1"


def test_without_a_manager_nothing_is_said(open_path) -> None:
    Systemd.of({}).ready("x")
    Systemd.of({"NOTIFY_SOCKET": "not-a-path"}).ready("x")
    Systemd.of({"NOTIFY_SOCKET": str(open_path / "gone")}).ready("x")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_counts_where_it_is_meant_for_us(environment, seconds) -> None:
    assert Systemd.of(environment).watchdog == seconds
