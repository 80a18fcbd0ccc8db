"""The session of this terminal's account: a token in the runtime directory, readable by it alone.

The token is worth nothing from another account: the exchange asks the kernel who presents it.
PBX_SESSION names another file, for a second session beside the first.
"""

import base64
import hashlib
import os
import stat
from pathlib import Path

from pbx.admin.wire.fields import Changed
from pbx.cli.client import AdminClient
from pbx.cli.output import CommandError, Exit, initialised
from pbx.cli.remote import remote
from pbx.paths import Layout

UNREADABLE = "The session file is not one of ours; sign in again: pbx login"


def token_file(layout: Layout) -> Path:
    if named := os.environ.get("PBX_SESSION"):
        return Path(named)
    elsewhere = remote.get()
    where = bytes(layout.root) if elsewhere is None else elsewhere.server.encode()
    name = hashlib.sha256(where).hexdigest()[:16]
    return _runtime_directory() / f"{name}.session"


def keep(layout: Layout, token: str, login: str = "", binding: bytes = b"") -> None:
    """Written whole and private, in place of an older one; below stand the log-in name, and what
    this command vouches with when it has a message opened (`storage.keyholder.vouchers`)."""
    path = token_file(layout)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{token}\n{login}\n{base64.b64encode(binding).decode()}\n")
    fresh.replace(path)


def sign_out(data: Path | None) -> Changed:
    """The session ends here and at the exchange."""
    with signed_in(data) as client:
        answer = client.send("DELETE", "/v1/session", Changed)
    forget(initialised(data))
    return answer


def forget(layout: Layout) -> None:
    token_file(layout).unlink(missing_ok=True)


def token_of(layout: Layout) -> str:
    return kept(layout)[0]


def kept(layout: Layout) -> tuple[str, str]:
    """Token and log-in name."""
    token, login, *_ = _lines(layout)
    return token, login


def binding_of(layout: Layout) -> bytes:
    """What only this account and the key holder know of the session."""
    try:
        return base64.b64decode(_lines(layout)[2], validate=True)
    except ValueError:
        return b""


def _lines(layout: Layout) -> list[str]:
    """A file that others could have written is not believed."""
    path = token_file(layout)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise CommandError("Sign in first: pbx login", Exit.REFUSED) from None
    with os.fdopen(descriptor) as file:
        state = os.fstat(file.fileno())
        if state.st_uid != os.geteuid() or stat.S_IMODE(state.st_mode) & 0o077:
            raise CommandError(
                "The session file belongs to others too; sign in again: pbx login", Exit.REFUSED
            )
        try:
            lines = file.read(400).splitlines()
        except UnicodeError:
            raise CommandError(UNREADABLE, Exit.REFUSED) from None
        return [*lines, "", "", ""][:3]


def handle_of(token: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(token + "=")
    except ValueError:
        raise CommandError(UNREADABLE, Exit.REFUSED) from None


def client_of(layout: Layout, token: str) -> AdminClient:
    return AdminClient(layout, {"Authorization": f"Bearer {token}"} if token else None)


def signed_in(data: Path | None) -> AdminClient:
    """For every command that needs a person: the exchange, spoken to in this account's session."""
    layout = initialised(data)
    return client_of(layout, token_of(layout))


def _runtime_directory() -> Path:
    """$XDG_RUNTIME_DIR, or the nearest thing to it that is this account's alone."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    candidates = [Path(named)] if named.startswith("/") else []
    candidates.append(Path(f"/run/user/{os.geteuid()}"))
    base = next((found for found in candidates if found.is_dir()), None)
    if base is None:
        base = Path("/run") if os.geteuid() == 0 else Path.home() / ".cache"
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = base / "hipaa-pbx-sessions"
    directory.mkdir(mode=0o700, exist_ok=True)
    state = directory.stat()
    if state.st_uid != os.geteuid() or stat.S_IMODE(state.st_mode) & 0o077:
        raise CommandError(f"{directory}: belongs to another account.", Exit.REFUSED)
    return directory
