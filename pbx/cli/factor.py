"""`pbx factor`: security keys (FIDO2) that stand in for a code of the app.

The app's codes stay: there is always a second way in, and no way to be without a second factor.
"""

from typing import Annotated
from uuid import UUID

import typer

from pbx.admin.wire.fields import Performed
from pbx.admin.wire.sessions import SecurityKeyView, WhoAmI
from pbx.cli import secrets, security_key
from pbx.cli.moments import shown
from pbx.cli.output import DataOption, JsonOption, YesOption, as_json, as_table, confirm
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import signed_in
from storage.identifiers import new_id, system_clock
from storage.keyholder import acts
from storage.keyholder.presence import relying_party
from storage.keyholder.protocol import Protected

app = typer.Typer(no_args_is_help=True, help="Security keys beside your app: add, list, remove.")


@app.command()
def add(
    label: Annotated[str, typer.Argument(help="What you call it.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Add the security key that is attached; from then on a touch of it is your second factor.

    The app's codes and the recovery codes go on working.

    Example: pbx factor add "blue key"
    """
    desk = Desk.signed_in(data)
    with desk.client:
        own = desk.client.get("/v1/session", WhoAmI)
        present, code = secrets.secret("Password"), secrets.code()
        act = acts.AddSecurityKey(key=new_id(system_clock), label=label)
        challenge = desk.challenge()
        made = security_key.register(
            relying_party(desk.pin().signing_key),
            desk.to_sign(challenge, act),
            own.login,
            own.name,
        )
        typed = Protected(password=present, totp=code, registration=made)
        proof, _ = desk.seal(act, typed, challenge)
        body = {"id": act.key, "label": label, "proof": proof}
        answer = desk.client.post("/v1/own/security-keys", Performed, body)
    tell(answer, f"{label}: added. It is asked for wherever it is attached.", json=json)


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List your security keys.

    Example: pbx factor list
    """
    with signed_in(data) as client:
        found = client.get("/v1/own/security-keys", list[SecurityKeyView])
    if json:
        as_json(found)
        return
    as_table(("LABEL", "ADDED", "KEY"), ((key.label, shown(key.added), key.id) for key in found))


@app.command()
def remove(
    key: Annotated[UUID, typer.Argument(help="From `pbx factor list`.")],
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a security key, as when it is lost; the app's codes stay.

    Example: pbx factor remove 0197…
    """
    desk = Desk.signed_in(data)
    with desk.client:
        confirm("Remove this security key?", yes=yes)
        present = secrets.secret("Password")
        path, act = f"/v1/own/security-keys/{key}/removal", acts.RemoveSecurityKey(key=key)
        answer, _ = desk.perform(path, act, password=present)
    tell(answer, "The security key was removed.", json=json)
