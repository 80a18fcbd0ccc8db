"""A PostgreSQL of the tests' own: Debian's binaries, a temporary cluster on a Unix socket.

PostgreSQL refuses to run as root, so root hands the cluster to the account `postgres` (or
`nobody`). Every test gets a copy of a migrated template.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from storage import schema

OWNER, SERVICE, TEMPLATE = "pbx_owner", "pbx_service", "pbx_template"


class Cluster:
    """A running server; `database()` makes a fresh migrated database and names its URLs."""

    def __init__(self, sockets: Path, start: Sequence[str | Path] = ()) -> None:
        self.sockets = sockets
        self._start = start

    def stop(self) -> None:
        """The server is gone, as after a crash."""
        self._control(*self._start[:6], "-m", "immediate", "stop")

    def start(self) -> None:
        """And there again."""
        self._control(*self._start)

    def _control(self, *command: str | Path) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **account())

    def url(self, role: str, database: str) -> URL:
        return URL.create(
            "postgresql+psycopg", role, database=database, query={"host": str(self.sockets)}
        )

    def admin(self, *statements: sql.Composable) -> None:
        with psycopg.connect(
            host=str(self.sockets), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement)

    def make_template(self) -> None:
        for role in (OWNER, SERVICE):
            self.admin(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        self._create(TEMPLATE, "template0")
        schema.upgrade(self.url(OWNER, TEMPLATE), SERVICE)

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        name = f"t{secrets.token_hex(6)}"
        self._create(name, template)
        try:
            yield name
        finally:
            self.admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def move(self, database: str, tablespace: str) -> None:
        """Put a database's files somewhere else; nobody may be connected."""
        self.admin(
            sql.SQL("ALTER DATABASE {} SET TABLESPACE {}").format(
                sql.Identifier(database), sql.Identifier(tablespace)
            )
        )

    def _create(self, name: str, template: str) -> None:
        self.admin(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                *map(sql.Identifier, (name, OWNER, template))
            )
        )


def binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise RuntimeError("PostgreSQL is missing; on Debian: apt-get install postgresql")
    return Path(on_path).resolve().parent


def is_there() -> bool:
    """Whether its programs are installed."""
    try:
        return binaries().is_dir()
    except RuntimeError:
        return False


def account() -> dict[str, Any]:
    """How to start a child as somebody PostgreSQL accepts."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start, hand out, stop. The directory is short: socket paths end at 107 bytes."""
    root = Path(tempfile.mkdtemp(prefix="pbxpg", dir="/tmp"))
    owner = account()
    if owner:
        os.chown(root, owner["user"], owner["group"])
    data, binary = root / "data", binaries()
    initdb = [binary / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    # --no-sync and fsync=off: these tests kill writers, never the server's machine.
    subprocess.run([*initdb, "--no-sync", "--locale=C"], check=True, capture_output=True, **owner)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(root),
        "fsync": "off",
        "shared_buffers": "32MB",
        "max_connections": "60",
        "autovacuum": "off",
    }
    options = " ".join(f"-c {key}='{value}'" for key, value in settings.items())
    control = [binary / "pg_ctl", "-D", data, "-w", "-l", root / "log"]
    starting = [*control, "-o", options, "start"]
    subprocess.run(starting, check=True, stdout=subprocess.DEVNULL, **owner)
    try:
        server = Cluster(root, starting)
        server.make_template()
        yield server
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, **owner)
        shutil.rmtree(root, ignore_errors=True)
