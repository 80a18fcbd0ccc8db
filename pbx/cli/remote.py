"""An exchange on another machine: where its management address is, and what we prove ourselves by.

The directory (default ~/.config/hipaa-pbx) is what `pbx operator certify` writes: operator.pem with
certificate and key, root.pem to check the exchange with, keyholder.pin to seal secrets to.
"""

import getpass
import ssl
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pbx.cli.failures import CommandError
from pbx.exits import Exit

HERE_ONLY: Final = frozenset(("cert", "config", "db", "doctor", "init", "quickstart", "serve"))
"""Commands that work on the exchange's own machine and disks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What the options before the noun say."""

    server: str
    identity: Path
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def __post_init__(self) -> None:
        try:
            found = urlsplit(self.server)
            is_right = found.scheme == "https" and found.hostname and found.port != 0
        except ValueError:
            is_right = False
        if not is_right or found.path.strip("/"):
            raise CommandError("--server: is https://HOST:PORT.", Exit.USAGE)

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or 1.3, the exchange's own authority, the operator's certificate."""
        cert, ca = (
            self.cert or self.identity / "operator.pem",
            self.ca or self.identity / "root.pem",
        )
        from certs.contexts import client_context

        for path in (cert, ca, self.key):
            if path is not None and not path.is_file():
                raise CommandError(f"{path}: there is no such file.", Exit.USAGE)
        try:
            context = client_context(trusted=ca)
            context.load_cert_chain(cert, self.key, _passphrase)
        except ssl.SSLError:
            raise CommandError(
                f"{cert} is no certificate with its key, or {ca} no authority.", Exit.USAGE
            ) from None
        return context


remote: ContextVar[Remote | None] = ContextVar("remote", default=None)
why: ContextVar[str] = ContextVar("why", default="")
"""The ticket's text, where one was named."""


def _passphrase() -> str:
    return getpass.getpass("Passphrase of the key: ") if sys.stdin.isatty() else ""
