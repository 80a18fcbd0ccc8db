"""`pbx role`: the table of roles, and who holds them."""

from typing import Annotated
from uuid import UUID

import typer

from pbx.access.roles import Role
from pbx.admin.wire.people import GrantView, MatrixLine
from pbx.cli.moments import UntilOption, shown, until
from pbx.cli.output import (
    DataOption,
    JsonOption,
    YesOption,
    as_json,
    as_table,
    confirm,
    initialised,
)
from pbx.cli.person import WhoArgument, logins_of, person_of
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import client_of, signed_in
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts

ROLES = f"One of {', '.join(Role)}."
app = typer.Typer(no_args_is_help=True, help="Roles: the table, and grants from request to end.")
SHORT = {
    Role.SYSTEM_ADMINISTRATOR: "ADMIN",
    Role.HELP_DESK: "HELP",
    Role.COMPLIANCE_OFFICER: "COMPL",
    Role.PRACTICE_MANAGER: "MANAGER",
    Role.PHYSICIAN: "PHYS",
    Role.CLINICAL_STAFF: "CLIN",
    Role.FRONT_DESK: "FRONT",
    Role.BILLING: "BILL",
}


@app.command()
def matrix(data: DataOption = None, json: JsonOption = False) -> None:
    """Print who may do what. What is not marked is denied; CODE asks for a second factor.

    Example: pbx role matrix
    """
    with client_of(initialised(data), "") as client:
        lines = client.get("/v1/roles", list[MatrixLine])
    if json:
        as_json(lines)
        return
    as_table(
        ("", *SHORT.values(), "CODE"),
        (
            (
                line.privilege,
                *("x" if line.everybody or role in line.allowed else "" for role in SHORT),
                "x" if line.step_up else "",
            )
            for line in lines
        ),
    )


@app.command("list")
def list_(
    person: Annotated[str | None, typer.Option(help="Only this person's.")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also what is over.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """List grants; those made by `installation` alone are flagged.

    Example: pbx role list --person anna --ended
    """
    with signed_in(data) as client:
        wanted = "true" if ended else None
        found = client.get("/v1/grants", list[GrantView], person=person, ended=wanted)
        logins = {} if json else logins_of(client)
    if json:
        as_json(found)
        return
    as_table(
        ("PERSON", "ROLE", "STATE", "UNTIL", "REASON", "", "GRANT"),
        (
            (logins.get(g.person), g.role, g.state, shown(g.until), g.reason, _flag(g), g.id)
            for g in found
        ),
    )


def _flag(grant: GrantView) -> str:
    return "ONE PERSON ALONE" if grant.by_installation else ""


@app.command("grant")
def grant_(
    who: WhoArgument,
    role: Annotated[Role, typer.Argument(show_choices=False, help=ROLES)],
    reason: Annotated[str, typer.Option(help="Why; it is kept.", prompt=True)],
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Ask for a role for somebody else; a second person approves.

    Example: pbx role grant anna front-desk --reason "covers reception" --until +90d
    """
    end = until(until_)
    desk = Desk.signed_in(data)
    with desk.client:
        person, grant, start = person_of(desk.client, who).id, new_id(system_clock), system_clock()
        act = acts.GrantRole(grant=grant, person=person, role=role, start=start, until=end)
        body = {"id": grant, "person": person, "role": role, "reason": reason}
        answer, _ = desk.perform("/v1/grants", act, body | {"start": start, "until": end})
    tell(answer, "The role is granted.", json=json)


@app.command()
def revoke(
    grant: Annotated[UUID, typer.Argument(help="From `pbx role list`.")],
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """End a grant at once.

    Example: pbx role revoke 0197…
    """
    confirm("End this grant?", yes=yes)
    desk = Desk.signed_in(data)
    with desk.client:
        grants = desk.client.get("/v1/grants", list[GrantView], ended="true")
        person = next((found.person for found in grants if found.id == grant), grant)
        act = acts.RevokeRole(grant=grant, person=person)
        answer, _ = desk.perform(f"/v1/grants/{grant}/revocation", act)
    tell(answer, "The grant has ended.", json=json)
