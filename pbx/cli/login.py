"""Signing in and out, enrolment, and one's own factors."""

from typing import Annotated

import msgspec
import typer

from pbx.admin.wire.fields import Performed
from pbx.admin.wire.reach import ReachView
from pbx.admin.wire.sessions import SignedIn, WhoAmI
from pbx.cli import secrets
from pbx.cli.enrolment import show_enrolment
from pbx.cli.moments import shown
from pbx.cli.output import DataOption, JsonOption, as_json, initialised, say, say_words
from pbx.cli.proofs import Desk, tell
from pbx.cli.session import keep, sign_out, signed_in
from storage.keyholder import acts, vouchers
from storage.keyholder.protocol import Enrolment, Protected
from storage.sealed import primitives

LoginArgument = Annotated[str, typer.Argument(help="Your log-in name.")]
NOTICES = {
    "enrolment-issued": "a new enrolment code was issued for your account",
    "enrolled": "your factors were set anew",
    "locked": "your account was locked after wrong passwords or codes",
    "totp-replaced": "your second factor was replaced",
    "security-key-added": "a security key was added to your account",
    "security-key-removed": "a security key was removed from your account",
    "break-glass": "your mailbox was opened in an emergency",
}


def login(
    login: LoginArgument,
    recovery: Annotated[
        bool, typer.Option("--recovery", help="Use a recovery code instead of the app.")
    ] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Sign in with password and second factor. Both are sealed to the key holder.

    Example: pbx login anna
    """
    desk = Desk(initialised(data), login=login)
    act = acts.LogIn(login=login)
    with desk.client:
        known, binding = secrets.secret("Password"), primitives.random(vouchers.BINDING)
        mine = {"password": known, "binding": bytearray(binding)}
        if recovery:
            typed = Protected(**mine, recovery_code=secrets.secret("Recovery code"))
            proof, _ = desk.seal(act, typed)
        else:
            proof, _ = desk.prove(act, **mine)
        answer = desk.client.post("/v1/session", SignedIn, {"login": login, "proof": proof})
    _welcome(desk, answer, login, binding, json=json)


def _welcome(desk: Desk, answer: SignedIn, login: str, binding: bytes, *, json: bool) -> None:
    keep(desk.layout, answer.token, login, binding)
    if json:
        as_json(msgspec.structs.replace(answer, token=""))
        return
    minutes = answer.idle_seconds // 60
    say(f"Signed in until {shown(answer.ends_at)}, or {minutes} idle minutes.")
    if answer.displaced:
        say("Your oldest session was ended: there were too many.")
    for notice in answer.notices:
        say(f"Notice of {shown(notice.at)}: {NOTICES.get(notice.kind, notice.kind)}.")


def logout(data: DataOption = None, json: JsonOption = False) -> None:
    """Sign out.

    Example: pbx logout
    """
    answer = sign_out(data)
    as_json(answer) if json else say("Signed out.")


def whoami(data: DataOption = None, json: JsonOption = False) -> None:
    """Show whose session this is, and what it may do.

    Example: pbx whoami --json
    """
    with signed_in(data) as client:
        answer = client.get("/v1/session", WhoAmI)
    if json:
        as_json(answer)
        return
    say(f"{answer.name} ({answer.login})")
    say_words("roles: ", answer.roles)
    say_words("may:   ", answer.may)


def enrol(login: LoginArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Use a one-time enrolment code: set your password and second factor.

    Two people have half a code each; join the halves with a hyphen.

    Example: pbx enrol anna
    """
    desk = Desk(initialised(data))
    with desk.client:
        code, password = secrets.secret("One-time code"), secrets.new_password()
        typed = Protected(enrolment_code=code, new_password=bytearray(password))
        proof, asker = desk.seal(acts.Enrol(login=login), typed)
        body = {"login": login, "proof": proof}
        answer = desk.client.post("/v1/enrolment", Performed, body)
        show_enrolment(asker.open(answer.answer, Enrolment))
        asker.forget()
        binding = primitives.random(vouchers.BINDING)
        typed = Protected(password=password, totp=secrets.code(), binding=bytearray(binding))
        proof, _ = desk.seal(acts.ConfirmEnrolment(login=login), typed)
        body = {"login": login, "proof": proof}
        signed = desk.client.post("/v1/enrolment/confirmation", SignedIn, body)
    _welcome(desk, signed, login, binding, json=json)


def password(data: DataOption = None, json: JsonOption = False) -> None:
    """Change your own password; nobody can set another person's.

    Example: pbx password
    """
    desk = Desk.signed_in(data)
    with desk.client:
        present, new = secrets.secret("Present password"), secrets.new_password()
        answer, _ = desk.perform(
            "/v1/own/password", acts.ChangePassword(), password=present, new_password=new
        )
    tell(answer, "Your password was changed. Other sessions of yours have ended.", json=json)


def second_factor(data: DataOption = None, json: JsonOption = False) -> None:
    """Replace your own second factor and recovery codes.

    Example: pbx second-factor
    """
    desk = Desk.signed_in(data)
    with desk.client:
        present = secrets.secret("Password")
        path = "/v1/own/second-factor"
        answer, asker = desk.perform(path, acts.ReplaceTotp(), password=present)
        show_enrolment(asker.open(answer.answer, Enrolment))
        asker.forget()
        say("", "Now the code that the new entry of your app shows:")
        answer, _ = desk.perform(f"{path}/confirmation", acts.ConfirmTotp())
    tell(answer, "Your second factor was replaced. Other sessions of yours have ended.", json=json)


def pin(
    extension: Annotated[
        list[str] | None, typer.Option(help="More numbers that the PIN must not resemble.")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Set your own PIN for the telephone. It must not resemble your extension.

    Example: pbx pin
    """
    desk = Desk.signed_in(data)
    with desk.client:
        own = desk.client.get("/v1/own/reach", list[ReachView])
        numbers = sorted({*(extension or ()), *(reach.number for reach in own)})
        new = secrets.chosen("New PIN (6 to 12 digits)", "A PIN", 6)
        act = acts.SetPin(extensions=tuple(numbers))
        answer, _ = desk.perform("/v1/own/pin", act, {"extensions": numbers}, new_pin=new)
    tell(answer, "Your PIN was set.", json=json)
