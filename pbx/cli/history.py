"""`pbx history`: every recorded change of one object."""

from typing import Annotated
from urllib.parse import quote

import msgspec
import typer

from pbx.admin.wire.rules import ChangeView
from pbx.cli.moments import shown
from pbx.cli.output import DataOption, JsonOption, as_json, say
from pbx.cli.person import logins_of
from pbx.cli.session import signed_in


def history(
    kind: Annotated[
        str,
        typer.Argument(
            help="person, organisation, site, extension, group, mailbox, device, role_grant, "
            "session, exception or policy_value"
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
        logins = {} if json else logins_of(client)
    if json:
        as_json(found)
        return
    for change in found:
        say(f"{shown(change.occurred_at)}  {change.action} ({change.outcome})")
        by = logins.get(change.actor, change.actor) if change.actor else change.actor_kind
        say(f"  by {by}, operation {change.operation}")
        if change.before is not None:
            say(f"  before {_json(change.before)}")
        if change.after is not None:
            say(f"  after  {_json(change.after)}")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
