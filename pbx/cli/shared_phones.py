"""`pbx device share` and `sign-out`: phones without an owner, and who is signed in on them."""

from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.phones import DeviceView, SignedOut
from pbx.cli.client import AdminClient
from pbx.cli.output import DataOption, JsonOption, as_json, say
from pbx.cli.person import logins_of
from pbx.cli.phone_path import LabelArgument, path_of
from pbx.cli.session import signed_in


def share(
    label: LabelArgument,
    no: Annotated[bool, typer.Option("--no", help="Nobody signs in on it any more.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let people sign in on a phone by *71, their number and PIN; it has no owner then.

    Example: pbx device share "nurse station"
    """
    with signed_in(data) as client:
        version = client.get(path_of(label), DeviceView).version
        body = {"version": version, "shared": not no}
        answer = client.post(path_of(label, "/sharing"), Changed, body)
    said = "Nobody signs in on the phone any more." if no else "People sign in on it with *71."
    as_json(answer) if json else say(said)


def sign_out(label: LabelArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Sign out whoever is signed in on a shared phone.

    Example: pbx device sign-out "nurse station"
    """
    with signed_in(data) as client:
        answer = client.post(path_of(label, "/sign-out"), SignedOut)
    was = answer.was_signed_in
    said = "Whoever was signed in is signed out." if was else "Nobody was signed in."
    as_json(answer) if json else say(said)


def names_of(client: AdminClient, people: list[UUID | None]) -> dict[UUID | None, str]:
    """Log-in names of those who are signed in; nobody is looked up where nobody is."""
    if not any(people):
        return {}
    return {person: login for person, login in logins_of(client).items()}
