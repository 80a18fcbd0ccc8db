"""Who may read what: accounts, directories, and the files that hold keys."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from pbx.doctor.finding import Broken, CannotTell, Finding, judged
from pbx.paths import Layout
from pbx.processes import accounts
from pbx.processes.accounts import Accounts, Place

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def findings(
    layout: Layout, owners: Accounts | None, workers: int, pids: Mapping[str, int]
) -> Iterator[Finding]:
    yield judged("the key holder has an account of its own", partial(separate, owners, pids))
    yield judged(
        "directories belong to their accounts",
        partial(directories, accounts.places(layout, owners, workers) if owners else None),
    )
    for name, path in (
        ("credentials", layout.credentials),
        ("keys", layout.keys),
        ("database", layout.database),
    ):
        yield judged(f"only its account reads the {name}", partial(private, path))


def separate(owners: Accounts | None, pids: Mapping[str, int]) -> str:
    """The running processes count; the accounts alone only say what is meant."""
    if owners is None:
        raise CannotTell("the accounts do not exist")
    running = {name: Path(f"/proc/{pid}").stat().st_uid for name, pid in pids.items()}
    holders = {uid for name, uid in running.items() if name.startswith("keyholder")}
    others = {uid for name, uid in running.items() if not name.startswith("keyholder")}
    if holders & others or (not running and owners.is_single):
        raise Broken("one account runs everything: whoever takes the exchange takes the keys")
    if not holders or not others:
        raise CannotTell("the processes are not running")
    return "exchange, media and key holder run under different accounts"


def directories(expected: list[Place] | None) -> str:
    if expected is None:
        raise CannotTell("the accounts do not exist")
    for place in expected:
        try:
            found = place.path.stat()
        except FileNotFoundError:
            continue  # sockets' directories come with the first start
        mode = stat.S_IMODE(found.st_mode)
        if mode & ~place.mode:
            raise Broken(f"{place.path} is {mode:04o} and must be {place.mode:04o}")
        if os.geteuid() == 0 and found.st_uid != place.uid:
            raise Broken(f"{place.path} belongs to {accounts.name_of(found.st_uid)}")
    return f"{len(expected)} directories as they must be"


def private(directory: Path) -> str:
    """The directory keeps others out, and no file in it is anybody's to read or change."""
    try:
        if directory.stat().st_mode & OTHERS:
            raise Broken(f"{directory} can be entered by other accounts")
        count = 0
        for folder, _, files in os.walk(directory, onerror=_raise):
            for name in files:
                path = Path(folder, name)
                _check(path, path.lstat().st_mode)
                count += 1
    except PermissionError:
        raise CannotTell("needs root or the account that owns it") from None
    except FileNotFoundError:
        raise CannotTell("it does not exist") from None
    return f"{count} files, closed to other accounts"


def _check(path: Path, mode: int) -> None:
    if stat.S_ISREG(mode) and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Broken(f"{path} can be changed by other accounts")
    if stat.S_ISREG(mode) and mode & stat.S_IROTH and not _is_public(path):
        raise Broken(f"{path} can be read by other accounts")


def _is_public(path: Path) -> bool:
    """Certificates without key and revocation lists are for everybody."""
    if path.suffix not in {".pem", ".crt", ".crl", ".der"}:
        return False
    return b"PRIVATE KEY" not in path.read_bytes()


def _raise(error: OSError) -> None:
    raise error
