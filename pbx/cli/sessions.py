"""`pbx sessions`: who is signed in."""

from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.sessions import SessionView
from pbx.cli.moments import shown
from pbx.cli.output import DataOption, JsonOption, YesOption, as_json, as_table, confirm, say
from pbx.cli.person import logins_of
from pbx.cli.session import signed_in

app = typer.Typer(help="Live sessions: see them, end them.")

AllOption = Annotated[bool, typer.Option("--all", help="Everybody's, not only your own.")]


@app.callback(invoke_without_command=True)
def sessions(
    context: typer.Context,
    everybody: AllOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Live sessions: see them, end them.

    Example: pbx sessions
    """
    if context.invoked_subcommand is None:
        list_(everybody, data, json)


@app.command("list")
def list_(everybody: AllOption = False, data: DataOption = None, json: JsonOption = False) -> None:
    """List live sessions; so does `pbx sessions` alone.

    Example: pbx sessions list --all
    """
    with signed_in(data) as client:
        path = "/v1/sessions" if everybody else "/v1/own/sessions"
        found = client.get(path, list[SessionView])
        logins = logins_of(client) if everybody and not json else {}
    if json:
        as_json(found)
        return
    as_table(
        ("PERSON", "FROM", "SINCE", "LAST SEEN", "", "SESSION"),
        (
            (
                logins.get(s.person, "you" if not everybody else s.person),
                _from(s),
                shown(s.started_at),
                shown(s.seen_at),
                "this" * s.is_this,
                s.id,
            )
            for s in found
        ),
    )


def _from(session: SessionView) -> str:
    if session.certificate:
        return f"certificate {session.certificate[:8]}…"
    return f"uid {session.os_uid}"


@app.command()
def end(
    session: Annotated[UUID, typer.Argument(help="From `pbx sessions list`.")],
    anybody: Annotated[
        bool, typer.Option("--anybody", help="A session that is not your own.")
    ] = False,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """End a session at once.

    Example: pbx sessions end 0197…
    """
    confirm("End this session?", yes=yes)
    with signed_in(data) as client:
        base = "/v1/sessions" if anybody else "/v1/own/sessions"
        answer = client.send("DELETE", f"{base}/{session}", Changed)
    as_json(answer) if json else say("The session has ended.")
