"""`pbx init`: makes a data directory, whole or not at all.

A marker stands in the directory from the first moment to the last. A failed init takes back what
it made; after a killed one `serve` refuses, and the next init clears the leftovers and starts
over. Parts that are volumes of their own may exist beforehand, as long as they are empty.
"""

import contextlib
import fcntl
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from certs.authority import create_authority
from certs.config import CertsConfig
from certs.files import make_directory
from media import prompts
from pbx.config import Config, ExchangeConfig
from pbx.first_people import BACK
from pbx.paths import Layout
from pbx.processes import accounts
from pbx.processes.accounts import Accounts
from storage import directory, keyfiles, schema
from storage.config import StorageConfig, database_url
from storage.identifiers import system_clock
from storage.keyholder import founding
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.keystores.choice import prepare

LONGEST_SOCKET: Final = 107
"""sun_path of unix(7), without its closing NUL."""

_IGNORED: Final = {"lost+found"}


class InitRefused(Exception):
    """Nothing was changed; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the operator chose."""

    layout: Layout
    domain: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    database: str = ""
    database_owner: str = ""
    move_root_key: Path | None = None
    founder: Callable[[Layout, Config], None] | None = None
    """Makes the first people once keys and database are there; without one there are none."""

    def config(self) -> Config:
        return Config(
            exchange=ExchangeConfig(domain=self.domain),
            certs=CertsConfig(names=self.names, addresses=self.addresses),
            storage=StorageConfig(url=self.database, owner_url=self.database_owner),
        )


def initialise(plan: Plan, owners: Accounts | None = None) -> Accounts:
    """Makes the installation; raises InitRefused before anything has been changed.

    `owners` are by default the three accounts for root, created if need be, and one otherwise.
    """
    layout = plan.layout
    config = plan.config()
    _check_lengths(layout)
    if plan.move_root_key is not None and plan.move_root_key.exists():
        raise InitRefused(f"{plan.move_root_key} exists already; name a new file.")
    _check_empty(layout)
    owners = owners or accounts.ensure()
    if not owners.is_single:
        _check_reachable(layout)
    with _all_or_nothing(layout):
        places = accounts.places(layout, owners, config.media.worker_count)
        mine = accounts.withheld(places)
        accounts.lay_out(mine)
        _clear(layout)  # what somebody put there while it was theirs
        accounts.lay_out(mine)
        _make(plan, config, owners)
        accounts.lay_out(places)
    return owners


def _make(plan: Plan, config: Config, owners: Accounts) -> None:
    layout = plan.layout
    make_directory(layout.certificates)
    authority = create_authority(
        layout.certificates, config.exchange.domain, system_clock, config.certs
    )
    authority.issue_server()
    _make_database(config.storage, layout)
    prompts.prepare(layout.prompts, Path(config.media.prompts) if config.media.prompts else None)
    _make_key_store(config.keyholder, layout)
    directory.create(layout.credentials)
    for name in (keyfiles.DEVICE_AUTH, keyfiles.SNAPSHOT, keyfiles.GREETINGS):
        keyfiles.create(layout.credentials, name)
    if plan.founder is not None:
        plan.founder(layout, config)
    if plan.move_root_key is not None:
        # While all of this is root's still: the exchange's account cannot come here yet.
        authority.move_root_key(plan.move_root_key)
    accounts.give(layout.keys, owners.keys)
    accounts.give(layout.credentials, owners.exchange)
    accounts.give(layout.database, owners.exchange)
    layout.config_file.write_text(_written(config))
    layout.config_file.chmod(0o640)
    if not owners.is_single:
        os.chown(layout.config_file, 0, owners.config)


def _make_key_store(config: KeyHolderConfig, layout: Layout) -> None:
    """Founded a little in the past: see `pbx.first_people`. The pin stays root's, so that nobody's
    account can put another key holder's in its place."""
    keystore = prepare(config, layout.keys, os.environ)
    founded = founding.create(layout.keys, keystore, config, lambda: system_clock() - BACK)
    founded.write(layout.keyholder_pin)


def _make_database(storage: StorageConfig, layout: Layout) -> None:
    url = database_url(storage.url or f"sqlite:///{layout.database_file}")
    if storage.owner_url:
        schema.upgrade(database_url(storage.owner_url), url.username)
    else:
        schema.upgrade(url)


def _written(config: Config) -> str:
    """Only what was chosen; everything else has its default and shows in `pbx config show`."""
    chosen: dict[str, dict[str, object]] = {
        "exchange": {"domain": config.exchange.domain},
        "certs": {"names": config.certs.names, "addresses": config.certs.addresses},
        "storage": {"url": config.storage.url, "owner_url": config.storage.owner_url},
    }
    lines = ["# All keys with their defaults: pbx config show. Check: pbx config check.", ""]
    for table, keys in chosen.items():
        if kept := {key: value for key, value in keys.items() if value}:
            lines.append(f"[{table}]")
            lines += [
                f"{key} = {msgspec.json.encode(value).decode()}" for key, value in kept.items()
            ]
            lines.append("")
    return "\n".join(lines)


def _check_lengths(layout: Layout) -> None:
    longest = max(
        (layout.keyholder_exchange_socket, layout.keyholder_operator_socket),
        key=lambda path: len(os.fsencode(path)),
    )
    if (over := len(os.fsencode(longest)) - LONGEST_SOCKET) > 0:
        raise InitRefused(
            f"{layout.root} is {over} bytes too long for the sockets below it; shorten it."
        )


def _check_empty(layout: Layout) -> None:
    """Only an empty directory, prepared empty volumes or an unfinished init may be taken."""
    if layout.is_initialised:
        raise InitRefused(f"{layout.root} holds an installation already; nothing was changed.")
    if not layout.root.exists() or layout.unfinished.exists():
        return
    if not layout.root.is_dir():
        raise InitRefused(f"{layout.root} is not a directory; nothing was changed.")
    ours = _parts(layout)
    for entry in layout.root.iterdir():
        strange = entry not in ours and entry.name not in _IGNORED
        if strange or (entry in ours and _holds_something(entry)):
            raise InitRefused(f"{entry} is in the way; nothing was changed.")


def _parts(layout: Layout) -> list[Path]:
    return [
        layout.config,
        layout.credentials,
        layout.database,
        layout.keys,
        layout.spool,
        layout.prompts,
        layout.run,
    ]


def _holds_something(path: Path) -> bool:
    return not path.is_dir() or any(entry.name not in _IGNORED for entry in path.iterdir())


def _check_reachable(layout: Layout) -> None:
    """The three accounts must be able to enter the data directory and to read the program."""
    for what, path in (("data directory", layout.root), ("program", Path(__file__))):
        present = path if path.exists() else next(p for p in path.parents if p.exists()) / "x"
        if (found := accounts.blocker([present])) is not None:
            raise InitRefused(
                f"The accounts of the exchange cannot enter {found}, where the {what} is; "
                f"allow it with: chmod o+x {found}"
            )


@contextlib.contextmanager
def _all_or_nothing(layout: Layout) -> Iterator[None]:
    """The marker and its lock; what was made is taken back when anything fails."""
    existed = layout.root.exists()
    layout.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker = os.open(layout.unfinished, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InitRefused(f"Another init of {layout.root} is running.") from None
        _clear(layout)
        try:
            yield
        except BaseException:
            _clear(layout)
            layout.unfinished.unlink()
            if not existed:
                layout.root.rmdir()
            raise
        _settle(layout)
    finally:
        os.close(marker)


def _clear(layout: Layout) -> None:
    """Removes what an init has made; a directory that is a volume stays, empty."""
    layout.keyholder_pin.unlink(missing_ok=True)
    for part in _parts(layout):
        if not part.exists():
            continue
        for entry in part.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                if entry.name not in _IGNORED:
                    shutil.rmtree(entry)
            else:
                entry.unlink()
        with contextlib.suppress(OSError):
            part.rmdir()


def _settle(layout: Layout) -> None:
    """Everything is on the disk before the marker goes."""
    os.sync()
    layout.unfinished.unlink()
    directory = os.open(layout.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def own_addresses() -> tuple[str, ...]:
    """The addresses this machine speaks from, loopback first; no packet is sent to find out."""
    found = ["127.0.0.1", "::1"]
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            found.append(probe.getsockname()[0])
    return tuple(dict.fromkeys(found))
