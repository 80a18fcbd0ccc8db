"""`pbx audit export`: the ledger as a file that a stranger can verify."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, TextIO

import typer

from pbx.admin.exports import step_up
from pbx.admin.wire.audit import ExportPage, ExportView
from pbx.cli.client import AdminClient
from pbx.cli.moments import FromOption, past
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, say
from pbx.cli.proofs import Desk

SCRIPT: Final = "verify_export.py"


def export(
    signed: Annotated[
        Path, typer.Option("--signed", help="The file to make; it must not exist yet.")
    ],
    from_: FromOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write the ledger's rows with the key holder's signature; asks for your second factor.

    Verify it anywhere with share/hipaa-pbx/verify_export.py (in the sources: deploy/audit) and the
    file keyholder.pin; neither needs anything of ours.
    Example: pbx audit export --signed ledger.jsonl --from 2026-01-01
    """
    since = past(from_) or 0
    desk = Desk.signed_in(data)
    with desk.client, _new(signed) as file:
        proof, _ = desk.prove(step_up(since))
        body = {"since": since, "proof": proof}
        begun = desk.client.post("/v1/audit/exports", ExportView, body)
        _write(desk.client, begun, file)
    if json:
        as_json({"export": begun.operation, "rows": begun.rows, "file": str(signed)})
        return
    say(f"{begun.rows} rows in {signed}; to verify it, anywhere:")
    say(f"  python3 {_script()} {signed} {desk.layout.keyholder_pin}")


def _script() -> Path:
    """Beside the installed command, or in the sources."""
    installed = Path(sys.prefix, "share", "hipaa-pbx", SCRIPT)
    return installed if installed.is_file() else Path("deploy", "audit", SCRIPT)


@contextmanager
def _new(path: Path) -> Iterator[TextIO]:
    """A private file, made before anybody is asked for a second factor; half of one is removed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise CommandError(f"{path}: exists already.", Exit.USAGE) from None
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.", Exit.USAGE) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise


def _write(client: AdminClient, begun: ExportView, file: TextIO) -> None:
    path, at = f"/v1/audit/exports/{begun.operation}/lines", 0
    while True:
        page = client.get(path, ExportPage, at=at)
        file.writelines(f"{line}\n" for line in page.lines)
        if page.next == 0:
            return
        at = page.next
