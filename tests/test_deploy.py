"""What is in deploy/ is accepted by the programs it is written for, and fits the program."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pbx.paths import Layout
from pbx.processes import accounts

DEPLOY = Path(__file__).parents[1] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
INSTALLED = Layout(Path("/var/lib/hipaa-pbx"))
ONE_EACH = {
    "hipaa-pbx-exchange": accounts.EXCHANGE,
    "hipaa-pbx-keyholder": accounts.KEYS,
    "hipaa-pbx-worker@": accounts.MEDIA,
}


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_there_is_a_unit_for_everything_and_one_for_each_process() -> None:
    assert {unit.stem for unit in UNITS} == {"hipaa-pbx", *ONE_EACH}
    for unit in UNITS[:-1]:
        assert values(unit, "User") == [ONE_EACH[unit.stem]]
        assert values(unit, "SupplementaryGroups") == [accounts.CONFIG]
        assert values(unit, "Conflicts") == ["hipaa-pbx.service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("/opt/hipaa-pbx/bin", str(Path(sys.executable).parent))
        (tmp_path / unit.name).write_text(text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ONE_EACH)
def test_what_a_unit_starts_is_a_process_of_ours(name: str, tmp_path: Path) -> None:
    """Started on a directory that holds nothing, it says so and exits as a wrong configuration."""
    [command] = values(DEPLOY / "systemd" / f"{name}.service", "ExecStart")
    words = command.replace("%i", "0").replace(str(INSTALLED.root), str(tmp_path)).split()

    done = subprocess.run(
        [sys.executable, *words[1:]], capture_output=True, text=True, check=False, cwd="/"
    )

    assert done.returncode == 2, done.stderr
    assert "cannot be read" in done.stderr


def test_no_unit_is_given_up_and_one_that_hangs_is_replaced() -> None:
    """systemd's own limit is five starts in ten seconds, and then never again."""
    for unit in UNITS:
        assert values(unit, "StartLimitIntervalSec") == ["0"], unit.name
        assert values(unit, "Restart") == ["on-failure"], unit.name
        assert values(unit, "WatchdogSec") == ["30"], unit.name


def test_each_unit_may_write_where_its_process_must() -> None:
    own = INSTALLED
    wanted = {
        "hipaa-pbx-exchange": (own.database, own.credentials, own.spool, own.admin_socket.parent),
        "hipaa-pbx-keyholder": (
            own.keys,
            own.keyholder_exchange_socket.parent,
            own.keyholder_worker_socket.parent,
            own.keyholder_operator_socket.parent,
        ),
        "hipaa-pbx-worker@": (own.worker_socket(0).parent, own.spool),
    }
    for name, paths in wanted.items():
        [written] = values(DEPLOY / "systemd" / f"{name}.service", "ReadWritePaths")
        assert set(written.replace("%i", "0").split()) == set(map(str, paths)), name


@pytest.mark.skipif(os.geteuid() != 0, reason="nft wants root, also to check")
def test_nftables_accepts_the_rules() -> None:
    rules = DEPLOY / "nftables" / "hipaa-pbx.nft"

    done = subprocess.run(
        ["nft", "-c", "-f", str(rules)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
