"""`pbx operator`: certificates for people who manage the exchange from another machine."""

import os
import shutil
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import msgspec
import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.people import OperatorCertificate
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    YesOption,
    as_json,
    confirm,
    initialised,
    say,
)
from pbx.cli.session import signed_in

app = typer.Typer(no_args_is_help=True, help="Operators at other machines: their certificates.")

WhoArgument = Annotated[str, typer.Argument(help="A log-in name or identifier.")]
OutOption = Annotated[Path, typer.Option(help="A new directory for what the operator needs.")]
RequestOption = Annotated[
    Path | None, typer.Option(help="A signing request; the operator keeps the own key.")
]


@app.command()
def certify(
    who: WhoArgument,
    out: OutOption,
    request: RequestOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Issue a certificate; the directory goes to the operator's machine as ~/.config/hipaa-pbx.

    It opens the management address of the configuration, where password and second factor are
    asked for.

    Example: pbx operator certify anna --out anna-operator
    """
    pin = initialised(data).keyholder_pin
    body = {"signing_request": request.read_text() if request is not None else ""}
    if out.exists():
        raise CommandError(f"{out} exists already; nothing was issued.", Exit.USAGE)
    with signed_in(data) as client:
        answer = client.post(_path(who), OperatorCertificate, body)
    out.mkdir(mode=0o700)
    _write(out / "operator.pem", answer.chain_pem + answer.key_pem)
    _write(out / "root.pem", answer.root_pem)
    shutil.copyfile(pin, out / "keyholder.pin")
    if json:
        as_json(msgspec.structs.replace(answer, key_pem=""))
        return
    say(f"{out}: certificate {answer.serial}, until {answer.expires}. No copy of the key is kept.")


@app.command()
def withdraw(
    who: WhoArgument, yes: YesOption = False, data: DataOption = None, json: JsonOption = False
) -> None:
    """Revoke every operator's certificate of a person; open connections end within seconds.

    Example: pbx operator withdraw anna
    """
    confirm(f"Withdraw the certificates of {who}?", yes=yes)
    with signed_in(data) as client:
        answer = client.send("DELETE", _path(who), Changed)
    as_json(answer) if json else say("The certificates count no more.")


def _path(who: str) -> str:
    return f"/v1/people/{quote(who, safe='')}/certificate"


def _write(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "w") as file:
        file.write(text)
