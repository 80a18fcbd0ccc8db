"""`pbx policy`: named limits, and temporary changes of them."""

from typing import Annotated

import typer

from pbx.admin.policies import step_up
from pbx.admin.wire.fields import Changed
from pbx.admin.wire.rules import PolicyView
from pbx.cli.moments import UntilOption, shown, until
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    as_json,
    as_table,
    say,
)
from pbx.cli.proofs import Desk
from pbx.cli.session import signed_in

app = typer.Typer(no_args_is_help=True, help="Policy values: show and change them.")


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List all values.

    Example: pbx policy list
    """
    with signed_in(data) as client:
        found = client.get("/v1/policies", list[PolicyView])
    if json:
        as_json(found)
        return
    as_table(
        ("POLICY", "VALUE", "DEFAULT", "BOUNDS", "UNTIL", ""),
        (
            (p.name, p.value, p.default, f"{p.least}-{p.most}", shown(p.until), p.meaning)
            for p in found
        ),
    )


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument(help="From `pbx policy list`.")],
    value: Annotated[int, typer.Argument(help="The new value.")],
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Change a value; with --until it reverts by itself.

    Example: pbx policy set session-limit 3 --until +7d
    """
    end = until(until_)
    desk = Desk.signed_in(data)
    with desk.client:
        found = desk.client.get("/v1/policies", list[PolicyView])
        version = next((policy.version for policy in found if policy.name == name), None)
        if version is None:
            raise CommandError("There is no such policy: pbx policy list", Exit.USAGE)
        proof, _ = desk.prove(step_up(name, version, value, end))
        body = {"version": version, "value": value, "until": end, "proof": proof}
        answer = desk.client.send("PUT", f"/v1/policies/{name}", Changed, body=body)
    as_json(answer) if json else say("The value is changed.")
