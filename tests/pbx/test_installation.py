import os
import signal
import subprocess
from pathlib import Path

import pytest

from certs.authority import Authority
from pbx import installation
from pbx.config import load
from pbx.installation import InitRefused, Plan, initialise, own_addresses
from pbx.paths import Layout
from pbx.processes import accounts
from storage.identifiers import system_clock


def plan(root: Path, **more: object) -> Plan:
    return Plan(layout=Layout(root), domain="pbx.test", addresses=("127.0.0.1",), **more)  # type: ignore[arg-type]


def make(root: Path, **more: object) -> Layout:
    initialise(plan(root, **more), owners=accounts.own())
    return Layout(root)


def everything(root: Path) -> dict[str, tuple[int, float, bytes]]:
    return {
        str(p): (p.stat().st_mode, p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"")
        for p in sorted(root.rglob("*"))
    }


def test_init_makes_configuration_authority_and_database(open_path: Path) -> None:
    layout = make(open_path / "pbx")

    assert layout.is_initialised
    config = load(layout.config_file)
    assert config.exchange.domain == "pbx.test"
    assert config.certs.addresses == ("127.0.0.1",)
    authority = Authority.open(layout.certificates, "pbx.test", system_clock)
    assert authority.has_root_key
    assert layout.database_file.stat().st_mode & 0o077 == 0
    assert layout.root.stat().st_mode & 0o777 == 0o700


def test_a_second_init_refuses_and_changes_nothing(open_path: Path) -> None:
    layout = make(open_path / "pbx")
    before = everything(layout.root)

    with pytest.raises(InitRefused, match="holds an installation already"):
        make(layout.root)

    assert everything(layout.root) == before


def test_the_root_key_can_leave_the_machine(open_path: Path) -> None:
    layout = make(open_path / "pbx", move_root_key=open_path / "stick.key")

    assert not Authority.open(layout.certificates, "pbx.test", system_clock).has_root_key
    assert (open_path / "stick.key").stat().st_mode & 0o077 == 0


def test_a_root_key_is_never_written_over_another_file(open_path: Path) -> None:
    (open_path / "stick.key").touch()

    with pytest.raises(InitRefused, match="exists already"):
        make(open_path / "pbx", move_root_key=open_path / "stick.key")

    assert not (open_path / "pbx").exists()


def test_prepared_volumes_may_exist_as_long_as_they_are_empty(open_path: Path) -> None:
    (open_path / "pbx" / "database" / "lost+found").mkdir(parents=True)

    assert make(open_path / "pbx").is_initialised


@pytest.mark.parametrize("strange", ["notes.txt", "database/old.sqlite"])
def test_what_is_not_ours_is_never_touched(open_path: Path, strange: str) -> None:
    path = open_path / "pbx" / strange
    path.parent.mkdir(parents=True)
    path.touch()

    with pytest.raises(InitRefused, match="is in the way"):
        make(open_path / "pbx")

    assert path.exists()
    assert not Layout(open_path / "pbx").unfinished.exists()


def test_a_file_in_the_place_of_the_directory_is_refused(open_path: Path) -> None:
    (open_path / "pbx").touch()

    with pytest.raises(InitRefused, match="is not a directory"):
        make(open_path / "pbx")


def test_a_path_too_long_for_a_socket_is_refused_at_once(open_path: Path) -> None:
    with pytest.raises(InitRefused, match="too long for the sockets"):
        make(open_path / ("x" * 90))


def test_a_failed_init_leaves_nothing(open_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(installation.schema, "upgrade", full)

    with pytest.raises(OSError, match="No space left"):
        make(open_path / "pbx")

    assert not (open_path / "pbx").exists()


@pytest.mark.parametrize("moment", ["create_authority", "_make_database", "_written", "_settle"])
def test_a_killed_init_is_not_served_and_the_next_one_starts_over(
    open_path: Path, monkeypatch, moment: str
) -> None:
    layout = Layout(open_path / "pbx")
    child = os.fork()
    if not child:
        monkeypatch.setattr(installation, moment, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        make(layout.root)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not layout.is_initialised

    make(layout.root)

    assert layout.is_initialised
    assert Authority.open(layout.certificates, "pbx.test", system_clock).has_root_key


def test_two_at_once_do_not_meet(open_path: Path) -> None:
    layout = Layout(open_path / "pbx")

    with installation._all_or_nothing(layout):
        with pytest.raises(InitRefused, match="is running"):
            make(layout.root)


def test_the_accounts_must_be_able_to_come_in(open_path: Path) -> None:
    (open_path / "shut").mkdir(mode=0o700)

    with pytest.raises(InitRefused, match=r"cannot enter .*/shut, where the data directory is"):
        installation._check_reachable(Layout(open_path / "shut" / "pbx"))


def test_own_addresses_begin_with_the_loopback() -> None:
    assert own_addresses()[:2] == ("127.0.0.1", "::1")


def test_what_was_chosen_is_written_and_nothing_else(open_path: Path) -> None:
    text = make(open_path / "pbx").config_file.read_text()

    assert '[exchange]\ndomain = "pbx.test"' in text
    assert "[storage]" not in text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes directories for other accounts")
def test_while_root_makes_an_installation_no_account_can_plant_anything(open_path: Path) -> None:
    """Root would follow a link planted in a directory it writes in; afterwards it writes none."""
    planted: list[int] = []
    owners = accounts.Accounts(
        *(accounts.Account(f"service {n}", 54_321 + n, 54_321 + n) for n in range(3)),
        54_330,
        54_331,
    )

    def plant(layout: Layout, _: object = None) -> None:
        for place, who in ((layout.keys, owners.keys), (layout.database, owners.exchange)):
            link = ["ln", "-s", "/root/precious", str(place / "planted")]
            done = subprocess.run(link, user=who.uid, group=who.gid, capture_output=True)
            planted.append(done.returncode)

    layout = Layout(open_path / "data")
    for place, who in ((layout.keys, owners.keys), (layout.database, owners.exchange)):
        place.mkdir(parents=True)
        os.chown(place, who.uid, who.gid)
        (place / "planted").symlink_to("/root/precious")
    layout.unfinished.touch()  # of an init that was killed: the places were given away already

    initialise(plan(layout.root, founder=plant), owners)

    assert planted == [1, 1]
    assert not [path for path in layout.root.rglob("*") if path.is_symlink()]
    plant(layout)
    assert planted[2:] == [0, 0], "once it is theirs they may"
