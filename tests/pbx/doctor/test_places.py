"""Accounts and file modes: each planted defect is named."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pbx.doctor import places
from pbx.doctor.finding import Broken, CannotTell, Verdict
from pbx.paths import Layout
from pbx.processes import accounts


def test_a_new_installation_holds_but_for_its_one_account(installation: Layout) -> None:
    found = list(places.findings(installation, accounts.own(), 1, {}))

    assert [one.promise for one in found if one.verdict is not Verdict.HOLDS] == [
        "the key holder has an account of its own"
    ]
    assert found[0].verdict is Verdict.BROKEN


@pytest.mark.parametrize("name", ["credentials", "keys", "database"])
@pytest.mark.parametrize(
    ("spoil", "evidence"),
    [
        (lambda path: path.chmod(0o750), "entered"),
        (lambda path: _plant(path / "a.key", 0o604), "read"),
        (lambda path: _plant(path / "a.key", 0o620), "changed"),
        (lambda path: _plant(path / "a.pem", 0o644), "read"),
    ],
)
def test_an_open_secret_is_found(
    installation: Layout, name: str, spoil: Callable[[Path], None], evidence: str
) -> None:
    directory: Path = getattr(installation, name)
    spoil(directory)

    with pytest.raises(Broken, match=evidence):
        places.private(directory)


def test_a_certificate_may_be_read_by_anybody(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "root.pem").write_text("-----BEGIN CERTIFICATE-----")
    (tmp_path / "root.pem").chmod(0o644)

    assert places.private(tmp_path) == "1 files, closed to other accounts"


def test_what_does_not_exist_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CannotTell):
        places.private(tmp_path / "none")


def test_a_directory_that_lets_others_in_is_found(installation: Layout) -> None:
    expected = accounts.places(installation, accounts.own(), 1)
    installation.keys.chmod(0o755)

    with pytest.raises(Broken, match="0755 and must be 0700"):
        places.directories(expected)


def test_one_account_for_everything_is_found() -> None:
    with pytest.raises(Broken, match="one account"):
        places.separate(accounts.own(), {"exchange": os.getpid(), "keyholder": os.getpid()})


@pytest.mark.parametrize("running", [{}, {"exchange": os.getpid()}])
def test_half_of_the_processes_prove_nothing(running: dict[str, int]) -> None:
    own = accounts.own()
    keys = accounts.Account("keys", own.exchange.uid + 1, own.exchange.gid)
    separate = accounts.Accounts(own.exchange, own.media, keys, own.operators, own.config)

    with pytest.raises(CannotTell):
        places.separate(separate, running)


def test_without_accounts_nothing_can_be_told(installation: Layout) -> None:
    found = list(places.findings(installation, None, 1, {}))

    assert [one.verdict for one in found[:2]] == [Verdict.UNKNOWN] * 2


def _plant(path: Path, mode: int) -> None:
    path.write_text("-----BEGIN PRIVATE KEY-----")
    path.chmod(mode)
