"""`pbx console`: everything that happens, on one screen."""

import sys
from typing import Annotated

import typer

from pbx.admin.wire.console import ConsoleView
from pbx.cli import login as signing
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, initialised
from pbx.cli.session import kept, sign_out, signed_in


def console(
    every: Annotated[float, typer.Option(min=1, max=60, help="Seconds between two looks.")] = 2.0,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Watch health, calls, phones, alarms, exceptions and the ledger's end.

    ? shows the keys. It locks when your session has idled out: only a key keeps it alive.
    With --json it looks once.

    Example: pbx console
    """
    layout = initialised(data)

    def look(pressed: bool) -> ConsoleView:
        with signed_in(data) as client:
            return client.get("/v1/console", ConsoleView, active="true" if pressed else None)

    def sign_in() -> None:
        signing.login(name, data=data)

    def leave() -> None:
        sign_out(data)

    first = look(True)
    if json:
        as_json(first)
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("The console needs a terminal; for programs: --json", Exit.USAGE)
    _, name = kept(layout)
    from pbx.cli.console_app import Console

    Console(look, sign_in=sign_in, sign_out=leave, first=first, every=every).run()
