"""The three accounts and who of them may enter which directory (SECURITY.md, accounts).

As root, each process runs under an account of its own and each socket stands in a directory that
its server owns and one peer group may enter. Without root there is one account, and the
separation of the key holder does not hold: `serve` and `status` say so.
"""

import grp
import os
import pwd
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pbx.paths import Layout

EXCHANGE: Final = "hipaa-pbx"
MEDIA: Final = "hipaa-pbx-media"
KEYS: Final = "hipaa-pbx-keys"
OPERATORS: Final = "hipaa-pbx-operators"
"""Group of the people whose `pbx` command may reach the admin socket without root."""

CONFIG: Final = "hipaa-pbx-config"
"""Group of the three accounts: they read the configuration, which holds no secret."""

SINGLE: Final = "single-account mode: separation of the key holder does not hold"
SEPARATE: Final = "three accounts: exchange, media and key holder are separated"


class AccountError(Exception):
    """The accounts are not as they must be; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account as the kernel knows it."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """Who runs what. In single-account mode all three are the account that started us."""

    exchange: Account
    media: Account
    keys: Account
    operators: int
    config: int

    @property
    def is_single(self) -> bool:
        return self.exchange.uid == self.keys.uid

    @property
    def mode(self) -> str:
        return SINGLE if self.is_single else SEPARATE


def current() -> Accounts:
    """Three accounts for root, one for anybody else; raises AccountError when missing."""
    return named() if os.geteuid() == 0 else own()


def own() -> Accounts:
    """Single-account mode: everything runs as we do."""
    account = Account(name_of(os.geteuid()), os.geteuid(), os.getegid())
    return Accounts(account, account, account, account.gid, account.gid)


def named() -> Accounts:
    """The three accounts of this machine."""
    try:
        return Accounts(
            _account(EXCHANGE),
            _account(MEDIA),
            _account(KEYS),
            grp.getgrnam(OPERATORS).gr_gid,
            grp.getgrnam(CONFIG).gr_gid,
        )
    except KeyError:
        raise AccountError("The accounts of the exchange do not exist; run: pbx init") from None


def _account(name: str) -> Account:
    entry = pwd.getpwnam(name)
    return Account(name, entry.pw_uid, entry.pw_gid)


def name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def ensure() -> Accounts:
    """Creates the accounts that are missing when root, then returns them."""
    if os.geteuid() == 0:
        for group in (OPERATORS, CONFIG):
            _create(_group_exists(group), ["groupadd", "--system", group])
        for name in (EXCHANGE, MEDIA, KEYS):
            shell = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/false"]
            _create(_user_exists(name), ["useradd", "--system", "--user-group", *shell, name])
    return current()


def _create(exists: bool, command: list[str]) -> None:
    if exists:
        return
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  # constant words
    except OSError:
        raise AccountError(
            f"{command[0]} is missing; install it with: apt-get install passwd"
        ) from None
    if done.returncode != 0:
        raise AccountError(f"{command[0]} {command[-1]} failed with exit code {done.returncode}.")


def _user_exists(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _group_exists(name: str) -> bool:
    return any(entry.gr_name == name for entry in grp.getgrall())


def blocker(paths: Iterable[Path]) -> Path | None:
    """The first directory on the way to one of these that other accounts may not enter."""
    for path in paths:
        for directory in reversed(path.resolve().parents):
            if not directory.stat().st_mode & stat.S_IXOTH:
                return directory
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """A directory, its mode and owners."""

    path: Path
    mode: int
    uid: int
    gid: int


def places(layout: Layout, accounts: Accounts, workers: int) -> list[Place]:
    """Every directory of an installation. Sockets: the server owns, one peer group enters."""
    exchange, media, keys = accounts.exchange, accounts.media, accounts.keys
    top = 0 if not accounts.is_single else exchange.uid
    top_group = top if top == 0 else exchange.gid
    # Other accounts may pass through, and see nothing, only where there are several of ours.
    open_top = 0o700 if accounts.is_single else 0o711
    return [
        Place(layout.root, open_top, top, top_group),
        Place(layout.config, 0o750, top, accounts.config),
        Place(layout.credentials, 0o700, exchange.uid, exchange.gid),
        Place(layout.database, 0o700, exchange.uid, exchange.gid),
        Place(layout.spool, open_top, top, top_group),
        Place(layout.ledger_spool, 0o700, exchange.uid, exchange.gid),
        Place(layout.message_spool, 0o2750, media.uid, exchange.gid),
        Place(layout.prompts, 0o755, top, top_group),
        Place(layout.keys, 0o700, keys.uid, keys.gid),
        Place(layout.run, open_top, top, top_group),
        Place(layout.admin_socket.parent, 0o2750, exchange.uid, accounts.operators),
        Place(layout.keyholder_exchange_socket.parent, 0o2750, keys.uid, exchange.gid),
        Place(layout.keyholder_worker_socket.parent, 0o2750, keys.uid, media.gid),
        Place(layout.keyholder_operator_socket.parent, 0o700, keys.uid, keys.gid),
        *(
            Place(layout.worker_socket(index).parent, 0o2750, media.uid, exchange.gid)
            for index in range(workers)
        ),
    ]


def withheld(places: Iterable[Place]) -> list[Place]:
    """The same while root fills them: whoever could write there could plant a link that root
    follows, so they are given away when everything is in them."""
    if os.geteuid() != 0:
        return list(places)
    return [replace(place, mode=0o700, uid=0, gid=0) for place in places]


def lay_out(places: Iterable[Place]) -> None:
    """Makes the directories, or brings those that exist to their mode and owner."""
    for place in places:
        place.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(place.path, place.uid, place.gid)
        # mkdir obeys the umask and chown clears the set-group-id bit: set it last.
        place.path.chmod(place.mode)


def give(directory: Path, account: Account) -> None:
    """Makes everything below a directory belong to one account, never following a link."""
    if os.geteuid() != 0:
        return
    for _, names, files, folder in os.fwalk(directory):
        for name in (*names, *files):
            _give(name, folder, account)


def _give(name: str, folder: int, account: Account) -> None:
    """Only what root made: a link, or a second name of a file elsewhere, is nobody's to give."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=folder)
    except OSError:
        return
    try:
        found = os.fstat(descriptor)
        is_single = stat.S_ISDIR(found.st_mode) or found.st_nlink == 1
        if found.st_uid == 0 and is_single:
            os.fchown(descriptor, account.uid, account.gid)
    finally:
        os.close(descriptor)
