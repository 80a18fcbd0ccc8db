"""`pbx history`: every recorded change of one object."""

from typing import Annotated
from urllib.parse import quote

import msgspec
import typer

from pbx.admin.wire.rules import ChangeView
from pbx.cli.moments import shown
from pbx.cli.output import DataOption, JsonOption, as_json, as_table
from pbx.cli.session import signed_in


def history(
    kind: Annotated[
        str,
        typer.Argument(
            help="person, extension, device, role_grant, session, exception or policy_value"
        ),
    ],
    what: Annotated[str, typer.Argument(help="A log-in, number, label or identifier.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show what happened to one object, with before and after, from the ledger.

    Example: pbx history extension 1042
    """
    with signed_in(data) as client:
        path = f"/v1/history/{quote(kind, safe='')}/{quote(what, safe='')}"
        found = client.get(path, list[ChangeView])
    if json:
        as_json(found)
        return
    as_table(
        ("WHEN", "ACTION", "OUTCOME", "BY", "BEFORE", "AFTER"),
        (
            (
                shown(c.occurred_at),
                c.action,
                c.outcome,
                c.actor or c.actor_kind,
                _json(c.before),
                _json(c.after),
            )
            for c in found
        ),
    )


def _json(value: object) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()
