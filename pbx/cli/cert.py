"""`pbx cert`: what certificates there are, and renewing, revoking and importing them. Works alone.

The running exchange sees changed files within seconds; nothing needs a restart.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from certs.authority import Authority
from certs.errors import CertsError
from certs.imports import MAX_BYTES, check_chain
from certs.inventory import State, Status, statuses
from certs.owner import acting_as_owner_of
from certs.revoke import Reason
from pbx.cli.local_ledger import record
from pbx.cli.local_store import LocalStore
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    YesOption,
    as_json,
    as_table,
    confirm,
    say,
)
from pbx.config import load
from storage.identifiers import system_clock
from storage.ledger.actions import Action

app = typer.Typer(no_args_is_help=True, help="List, renew, revoke and import certificates.")

T = TypeVar("T")

AllOption = Annotated[bool, typer.Option("--all", help="Also those replaced or revoked.")]
RootKeyOption = Annotated[
    Path | None,
    typer.Option("--root-key", help="Also make the next issuing authority, with this root key."),
]
ReasonOption = Annotated[Reason, typer.Option("--reason", help="Why; it goes into the list.")]
SerialArgument = Annotated[
    str, typer.Argument(help="The serial number, as `pbx cert list` has it.")
]
ChainArgument = Annotated[
    Path, typer.Argument(help="PEM file: the server's certificate, then its issuers.")
]
KeyArgument = Annotated[Path, typer.Argument(help="PEM file with the private key.")]


@app.command("list")
def show(everything: AllOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """Show the certificates in force; exit 1 if one needs attention (30 days before its end).

    Example: pbx cert list --json
    """
    authority = _authority(LocalStore.of(data))
    with _failures_as_sentences(), acting_as_owner_of(authority.stock.directory):
        found = statuses(authority)
    shown = [s for s in found if everything or s.state not in (State.REPLACED, State.REVOKED)]
    if json:
        as_json([_plain(status) for status in shown])
    else:
        _print(shown, authority)
    if any(status.needs_attention for status in shown):
        raise typer.Exit(Exit.FOUND)


@app.command()
def renew(root_key: RootKeyOption = None, data: DataOption = None) -> None:
    """Renew the server's certificate and the revocation list now; with the root key also the CA.

    Renewal happens by itself at two thirds of life. Example: pbx cert renew
    """
    store = LocalStore.of(data)
    authority = _authority(store)
    key = None
    if root_key is not None:
        with _failures_as_sentences():
            key = _with_passphrase(lambda secret: authority.load_root_key(root_key, secret))
    with _failures_as_sentences(), acting_as_owner_of(store.layout.credentials):
        if key is not None:
            record(store, Action.CERTIFICATE_ISSUED, "certificate", {"kind": "issuing authority"})
            until = authority.renew_issuing(key).not_valid_after_utc
            say(f"The next issuing authority is in force; it ends {until:%Y-%m-%d}.")
        names = authority.server_names
        record(store, Action.CERTIFICATE_ISSUED, "certificate", {"hosts": list(names.hosts)})
        certificate = authority.issue_server()
        authority.renew_revocation_list()
    say(f"The server's certificate is renewed; it ends {certificate.not_valid_after_utc:%Y-%m-%d}.")


@app.command()
def revoke(
    serial: SerialArgument,
    reason: ReasonOption = Reason.UNSPECIFIED,
    yes: YesOption = False,
    data: DataOption = None,
) -> None:
    """Take a device's or the server's certificate out of force; there is no way back.

    Example: pbx cert revoke 3f9c… --reason key-compromise
    """
    store = LocalStore.of(data)
    authority = _authority(store)
    with _failures_as_sentences(), acting_as_owner_of(store.layout.credentials):
        number = authority.check_revocable(serial)
        confirm(f"Revoke certificate {number}?", yes=yes)
        after = {"serial": number, "reason": reason.value}
        record(store, Action.CERTIFICATE_REVOKED, "certificate", after)
        authority.revoke(number, reason)
    say("Revoked; a running exchange disconnects the device within seconds.")


@app.command("import")
def import_(chain: ChainArgument, key: KeyArgument, data: DataOption = None) -> None:
    """Serve a certificate of a public authority for its names; checked before anything changes.

    Phones that connect by another name or by address still get our own.
    Example: pbx cert import fullchain.pem privkey.pem
    """
    store = LocalStore.of(data)
    authority = _authority(store)
    chain_pem, key_pem = _read(chain), _read(key)
    with _failures_as_sentences(), acting_as_owner_of(store.layout.credentials):
        checked = _with_passphrase(
            lambda secret: check_chain(authority, chain_pem, key_pem, secret)
        )
        after = {"hosts": list(checked.names.hosts), "expires": f"{checked.expires:%Y-%m-%d}"}
        record(store, Action.CERTIFICATE_IMPORTED, "certificate", after)
        checked.install()
    say(
        f"Connections to {', '.join(checked.names.hosts)} get this certificate; it ends "
        f"{checked.expires:%Y-%m-%d}, and `pbx cert list` warns 30 days before."
    )


def _authority(store: LocalStore) -> Authority:
    config = load(store.layout.config_file)
    with _failures_as_sentences(), acting_as_owner_of(store.layout.credentials):
        return Authority.open(
            store.layout.certificates, config.exchange.domain, system_clock, config.certs
        )


@contextmanager
def _failures_as_sentences() -> Iterator[None]:
    try:
        yield
    except CertsError as error:
        raise CommandError(str(error), Exit.REFUSED) from None


def _with_passphrase(attempt: Callable[[bytes | None], T]) -> T:
    """Without a passphrase first; where that fails for want of one, ask for it."""
    try:
        return attempt(None)
    except CertsError as error:
        if "passphrase" not in str(error) or not sys.stdin.isatty():
            raise
    secret: str = typer.prompt("Passphrase of the key", hide_input=True)
    return attempt(secret.encode())


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise CommandError(f"{path} cannot be read: {reason}.", Exit.USAGE) from None


def _plain(status: Status) -> dict[str, object]:
    return {
        "kind": status.kind.value,
        "serial": status.serial,
        "names": status.names,
        "expires": status.expires.isoformat(),
        "state": status.state.value,
        "remedy": status.remedy,
    }


def _print(shown: list[Status], authority: Authority) -> None:
    as_table(
        ("KIND", "NAMES", "EXPIRES", "STATE", "SERIAL"),
        ((s.kind, ", ".join(s.names), f"{s.expires:%Y-%m-%d}", s.state, s.serial) for s in shown),
    )
    for status in shown:
        if status.remedy:
            say(f"{status.kind} {status.state}: {status.remedy}")
    if authority.has_root_key:
        say(
            "The root key lies beside the others and is not needed to serve; keep it elsewhere: "
            f"move {authority.stock.root_key} to a safe place."
        )
