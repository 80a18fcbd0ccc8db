"""Where everything of one installation lives: the data directory and its parts.

Configuration, credentials, database, key store and spool stand in directories of their own, so
that each can be a volume of its own; `run/` holds one directory per socket, because each socket
is open to exactly one other account.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SYSTEM_ROOT: Final = Path("/var/lib/hipaa-pbx")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one data directory; nothing here touches the disk."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def config_file(self) -> Path:
        return self.config / "pbx.toml"

    @property
    def credentials(self) -> Path:
        """Server key, issuing CA and device-auth keys: what the exchange needs to start."""
        return self.root / "credentials"

    @property
    def certificates(self) -> Path:
        """The private certificate authority; its root key need not stay here."""
        return self.credentials / "certificates"

    @property
    def database(self) -> Path:
        return self.root / "database"

    @property
    def database_file(self) -> Path:
        return self.database / "pbx.sqlite"

    @property
    def keys(self) -> Path:
        """The key holder's own store and journal; no other account reads it."""
        return self.root / "keys"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def ledger_spool(self) -> Path:
        """The exchange's: rows that cannot be refused while the ledger cannot be written."""
        return self.spool / "ledger"

    @property
    def message_spool(self) -> Path:
        """The media workers': messages being recorded, sealed."""
        return self.spool / "messages"

    @property
    def deposit_log(self) -> Path:
        """The exchange's own: deposits under way, until their rows are committed."""
        return self.ledger_spool / "deposits.log"

    @property
    def prompts(self) -> Path:
        return self.root / "prompts"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def unfinished(self) -> Path:
        """Exists from the first to the last moment of `pbx init`, and never afterwards."""
        return self.root / ".init-unfinished"

    @property
    def admin_socket(self) -> Path:
        return self.run / "admin" / "api.sock"

    @property
    def keyholder_exchange_socket(self) -> Path:
        return self.run / "keyholder-exchange" / "keyholder.sock"

    @property
    def keyholder_worker_socket(self) -> Path:
        return self.run / "keyholder-worker" / "keyholder.sock"

    @property
    def keyholder_operator_socket(self) -> Path:
        return self.run / "keyholder-operator" / "keyholder.sock"

    @property
    def keyholder_pin(self) -> Path:
        """The key holder's verifying key: owned by root, read by whoever seals to it."""
        return self.root / "keyholder.pin"

    @property
    def serve_lock(self) -> Path:
        """Held by the one supervisor of this data directory; holds its process number."""
        return self.root / ".serve.lock"

    def worker_socket(self, index: int) -> Path:
        return self.run / f"worker-{index}" / "control.sock"

    @property
    def is_initialised(self) -> bool:
        return self.config_file.exists() and not self.unfinished.exists()


def default_root(environment: dict[str, str] | None = None, *, root: bool | None = None) -> Path:
    """/var/lib/hipaa-pbx for root, else below the XDG data directory."""
    if os.geteuid() == 0 if root is None else root:
        return SYSTEM_ROOT
    variables = dict(os.environ) if environment is None else environment
    home = Path(variables.get("HOME") or Path.home())
    base = variables.get("XDG_DATA_HOME", "")
    # The XDG specification: a relative path is invalid and is ignored.
    return (Path(base) if base.startswith("/") else home / ".local/share") / "hipaa-pbx"
