"""[storage]: where the database is and how long the ledger may go without a head."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


class StorageConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[storage]"""

    url: str = ""
    """The service's account; empty means SQLite in the data directory's own database directory."""

    owner_url: str = ""
    """PostgreSQL only: the role that owns the tables, used by `pbx db upgrade` and nothing else."""

    head_seconds: int = 60
    """A ledger head is made at least this often while rows arrive."""

    head_rows: int = 1_000
    """A ledger head is made after this many rows, if that comes first."""

    spool_bytes: int = 16 * 1024 * 1024
    """Set aside on disk for rows that cannot be refused while the ledger cannot be written."""

    spool_reserved_bytes: int = 4 * 1024 * 1024
    """The part of the spool that only emergency calls may use."""

    def __post_init__(self) -> None:
        service, owner = (
            database_url(getattr(self, key), key) if getattr(self, key) else None
            for key in ("url", "owner_url")
        )
        if service is not None and service.get_backend_name() == "postgresql":
            if owner is None or owner.get_backend_name() != "postgresql":
                raise ValueError("owner_url: is needed with PostgreSQL, for the role that owns")
            if owner.username == service.username:
                raise ValueError("owner_url: is another role than that of url")
        elif owner is not None:
            raise ValueError("owner_url: belongs to PostgreSQL only")
        if not 1 <= self.head_seconds <= 60:
            raise ValueError("head_seconds: is 1 to 60")
        if not 1 <= self.head_rows <= 1_000:
            raise ValueError("head_rows: is 1 to 1000")
        if not 256 * 1024 <= self.spool_bytes <= 2**30:
            raise ValueError("spool_bytes: is 262144 (256 KiB) to 1073741824 (1 GiB)")
        if not self.spool_bytes // 16 <= self.spool_reserved_bytes <= self.spool_bytes // 2:
            raise ValueError("spool_reserved_bytes: is a sixteenth to a half of spool_bytes")


def database_url(text: str, key: str = "url") -> "URL":
    """Parse sqlite:///… or postgresql://…; the driver is ours to choose."""
    # Imported here: media workers and the key holder read the configuration, and need no database.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise ValueError(f"{key}: is not a database URL") from None
    if backend not in DRIVERS:
        raise ValueError(f"{key}: begins with sqlite:/// or postgresql://")
    if backend == "sqlite" and not url.database:
        raise ValueError(f"{key}: names a file")
    if backend == "postgresql" and not (url.username and url.database):
        raise ValueError(f"{key}: names a role and a database")
    return url.set(drivername=DRIVERS[backend])
