"""`pbx audit export`: the ledger as a file that a stranger can verify."""

import os
from pathlib import Path
from typing import Annotated, TextIO

import typer

from pbx.admin.exports import step_up
from pbx.admin.wire.audit import ExportPage, ExportView
from pbx.cli.client import AdminClient
from pbx.cli.moments import FromOption, past
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, say
from pbx.cli.proofs import Desk


def export(
    signed: Annotated[
        Path, typer.Option("--signed", help="The file to make; it must not exist yet.")
    ],
    from_: FromOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write the ledger's rows with the key holder's signature; asks for your second factor.

    Verify it anywhere with deploy/audit/verify_export.py and the file keyholder.pin.
    Example: pbx audit export --signed ledger.jsonl --from 2026-01-01
    """
    if signed.exists():
        raise CommandError(f"{signed}: exists already.", Exit.USAGE)
    since = past(from_) or 0
    desk = Desk.signed_in(data)
    with desk.client:
        proof, _ = desk.prove(step_up(since))
        body = {"since": since, "proof": proof}
        begun = desk.client.post("/v1/audit/exports", ExportView, body)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(signed, flags, 0o600), "w", encoding="ascii") as file:
            _write(desk.client, begun, file)
            file.flush()
            os.fsync(file.fileno())
    if json:
        as_json({"export": begun.operation, "rows": begun.rows, "file": str(signed)})
        return
    say(f"{begun.rows} rows in {signed}; to verify it, anywhere:")
    say(f"  python3 deploy/audit/verify_export.py {signed} {desk.layout.keyholder_pin}")


def _write(client: AdminClient, begun: ExportView, file: TextIO) -> None:
    path, at = f"/v1/audit/exports/{begun.operation}/lines", 0
    while True:
        page = client.get(path, ExportPage, at=at)
        file.writelines(f"{line}\n" for line in page.lines)
        if page.next == 0:
            return
        at = page.next
