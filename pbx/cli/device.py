"""`pbx device`: phones, what they log in with, where they stand, which extension they ring for."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.phones import (
    DeviceDetails,
    DeviceView,
    ExtensionView,
    PhoneCertificate,
    PhoneSecret,
    Unlocked,
)
from pbx.cli import phone_sheet, shared_phones
from pbx.cli.client import AdminClient
from pbx.cli.moments import moment, shown
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    YesOption,
    as_json,
    as_table,
    confirm,
    say,
)
from pbx.cli.person import person_of
from pbx.cli.phone_path import LabelArgument, path_of
from pbx.cli.session import signed_in
from storage.devices import Place
from storage.identifiers import new_id, system_clock

app = typer.Typer(no_args_is_help=True, help="Phones: add, place, assign, lock out.")

app.command()(shared_phones.share)
app.command("sign-out")(shared_phones.sign_out)


class Keying(StrEnum):
    """SRTP keys in the description, or by a handshake."""

    SDES = "sdes"
    DTLS = "dtls"


@app.command()
def add(
    label: LabelArgument,
    place: Annotated[Place, typer.Option(help="Where it stands.")] = Place.LOBBY,
    md5: Annotated[
        bool, typer.Option("--md5", help="It can do no better; records an exception.")
    ] = False,
    owner: Annotated[str, typer.Option(help="With --md5: who answers for it.")] = "",
    reason: Annotated[str, typer.Option(help="With --md5: why; it is kept.")] = "",
    until: Annotated[str, typer.Option(help="With --md5: when it ends, such as +90d.")] = "",
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Make a phone known and give it what it logs in with, shown once.

    Example: pbx device add "exam room 3" --place exam-room
    """
    if md5 and not (owner and reason and until):
        raise CommandError("--md5 needs --owner, --reason and --until.", Exit.USAGE)
    with signed_in(data) as client:
        body: dict[str, Any] = {"id": new_id(system_clock), "label": label, "place": place}
        if md5:
            body["md5"] = _md5(client, owner, reason, until)
        answer = client.post("/v1/devices", PhoneSecret, body)
    _told(answer, json=json)


def _md5(client: AdminClient, owner: str, reason: str, until: str) -> dict[str, Any]:
    return {
        "id": new_id(system_clock),
        "owner": person_of(client, owner).id,
        "reason": reason,
        "expires_at": moment(until),
    }


def _told(answer: PhoneSecret, *, json: bool) -> None:
    if json:
        as_json(answer)
        return
    phone_sheet.show(answer)
    phone_sheet.say_what_next(answer)


@app.command("list")
def list_(data: DataOption = None, json: JsonOption = False) -> None:
    """List phones.

    Example: pbx device list
    """
    with signed_in(data) as client:
        found = client.get("/v1/devices", list[DeviceView])
        numbers = {} if json else _numbers(client)
    as_json(found) if json else _table(found, numbers)


@app.command()
def show(label: LabelArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Show one phone.

    Example: pbx device show "exam room 3"
    """
    with signed_in(data) as client:
        found = client.get(path_of(label), DeviceDetails)
        numbers = {} if json else _numbers(client)
        names = {} if json else shared_phones.names_of(client, [found.signed_in])
    if json:
        as_json(found)
        return
    _table([found], numbers)
    as_table(("", ""), _details(found, names))


def _details(found: DeviceDetails, names: dict[UUID | None, str]) -> list[tuple[str, str]]:
    who = names.get(found.signed_in, "nobody")
    rows = [
        *([("signed in", who)] if found.is_shared else []),
        ("identifier", str(found.id)),
        ("username", found.username or "none"),
        ("has used SHA-256", "yes" if found.has_used_sha256 else "not yet"),
        ("first seen", shown(found.first_seen_at) or "never"),
        ("last seen", shown(found.seen_at) or "never"),
        ("source", found.source),
        ("says it is", found.user_agent),
        ("describes media", found.manner or "not heard yet"),
    ]
    return rows + [("locked", f"for {lock.source}, {lock.seconds} s more") for lock in found.locks]


def _numbers(client: AdminClient) -> dict[UUID, str]:
    return {e.id: e.number for e in client.get("/v1/extensions", list[ExtensionView])}


def _table(found: Sequence[DeviceView], numbers: dict[UUID, str]) -> None:
    as_table(
        ("PHONE", "PLACE", "EXTENSION", "LOGS IN WITH", "EMERGENCY", "REGISTERED"),
        (
            (
                d.label,
                d.place,
                _rings_for(d, numbers),
                _login(d),
                "answers" if d.answers_emergency else "",
                "yes" if d.is_registered else "no",
            )
            for d in found
        ),
    )


def _rings_for(device: DeviceView, numbers: dict[UUID, str]) -> str:
    number = numbers.get(device.extension, "none") if device.extension else "none"
    return f"{number}, shared" if device.is_shared else number


def _login(device: DeviceView) -> str:
    ways = [device.algorithm, "certificate" if device.has_certificate else ""]
    return ", ".join(way for way in ways if way) or "nothing"


@app.command()
def place(
    label: LabelArgument,
    place: Annotated[Place, typer.Argument(help="Where it stands now.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say where a phone stands; that decides what it may show.

    Example: pbx device place "exam room 3" exam-room
    """
    answer = _change(label, "/place", {"place": place}, data)
    as_json(answer) if json else say("The phone is placed.")


@app.command()
def assign(
    label: LabelArgument,
    extension: Annotated[str, typer.Argument(help="A number, or `none`.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say which extension a phone rings for.

    Example: pbx device assign "exam room 3" 1042
    """
    number = None if extension == "none" else extension
    answer = _change(label, "/assignment", {"extension": number}, data)
    as_json(answer) if json else say("The phone is assigned.")


@app.command()
def site(
    label: LabelArgument,
    site: Annotated[str, typer.Argument(help="A site's name, or `none`.")],
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say at which site a phone stands; help is sent there.

    Example: pbx device site "exam room 3" "Main Street"
    """
    answer = _change(label, "/site", {"site": None if site == "none" else site}, data)
    as_json(answer) if json else say("The phone stands there now.")


def _change(label: str, verb: str, change: dict[str, str | None], data: DataOption) -> Changed:
    """Of what the phone is now: somebody else's change in between is told, not lost."""
    with signed_in(data) as client:
        version = client.get(path_of(label), DeviceView).version
        return client.post(path_of(label, verb), Changed, {"version": version, **change})


@app.command("rotate-secret")
def rotate_secret(
    label: LabelArgument,
    sha256: Annotated[
        bool, typer.Option("--sha256", help="Away from MD5, for good once it has logged in.")
    ] = False,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Give a phone a new secret; its connections end until it is typed in.

    Example: pbx device rotate-secret "exam room 3"
    """
    confirm("The phone is cut off until the new secret is typed in. Go on?", yes=yes)
    with signed_in(data) as client:
        answer = client.post(path_of(label, "/secret"), PhoneSecret, {"sha256": sha256})
    _told(answer, json=json)


@app.command()
def certificate(
    label: LabelArgument,
    out: Annotated[
        Path | None, typer.Option(help="Write certificate and key to this new file.")
    ] = None,
    request: Annotated[
        Path | None, typer.Option(help="A signing request; the phone keeps its own key.")
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Let its certificate count no more.")
    ] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Issue a client certificate for a phone, or withdraw it.

    Example: pbx device certificate "exam room 3" --out phone.pem
    """
    with signed_in(data) as client:
        if withdraw:
            gone = client.send("DELETE", path_of(label, "/certificate"), Changed)
            as_json(gone) if json else say("Its certificate counts no more.")
            return
        body = {"signing_request": request.read_text() if request else ""}
        answer = client.post(path_of(label, "/certificate"), PhoneCertificate, body)
    if json:
        as_json(answer)
        return
    pem = answer.chain_pem + answer.key_pem
    if out is None:
        say(pem.rstrip())
    else:
        _write(out, pem)
    say(f"For {answer.identity}, until {answer.expires}; TLS port {answer.port}. No copy is kept.")


def _write(path: Path, text: str) -> None:
    """A private file; never over another one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise CommandError(
            f"{path} exists already; the certificate was not kept.", Exit.USAGE
        ) from None
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


@app.command()
def emergency(
    label: LabelArgument,
    no: Annotated[bool, typer.Option("--no", help="It rings no more.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let a phone ring for emergency calls that have no outside line.

    Example: pbx device emergency "front desk"
    """
    with signed_in(data) as client:
        answer = client.post(path_of(label, "/emergency"), Changed, {"answers": not no})
    said = (
        "The phone rings for no emergency call." if no else "The phone rings for emergency calls."
    )
    as_json(answer) if json else say(said)


@app.command()
def lamp(
    label: LabelArgument,
    no: Annotated[bool, typer.Option("--no", help="It stays dark, whatever comes.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Let a phone's lamp tell of messages, or not where the public would see it.

    Example: pbx device lamp "front desk" --no
    """
    with signed_in(data) as client:
        answer = client.post(path_of(label, "/lamp"), Changed, {"shows": not no})
    as_json(answer) if json else say("The lamp stays dark." if no else "The lamp tells.")


@app.command()
def media(
    label: LabelArgument,
    keying: Annotated[Keying, typer.Argument(help="How it agrees on keys.")],
    feedback: Annotated[bool, typer.Option("--feedback", help="RTP/SAVPF.")] = False,
    mux: Annotated[bool, typer.Option("--mux", help="RTCP on the port of RTP.")] = False,
    ice: Annotated[bool, typer.Option("--ice", help="It looks for its path by ICE.")] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Say how a phone describes its media, until it calls; then that counts, and is kept.

    Example: pbx device media "exam room 3" dtls --mux
    """
    with signed_in(data) as client:
        body = {"keying": keying, "feedback": feedback, "mux": mux, "ice": ice}
        answer = client.post(path_of(label, "/media"), Changed, body)
    as_json(answer) if json else say("The phone is called like that until it calls itself.")


@app.command()
def remove(
    label: LabelArgument,
    yes: YesOption = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a phone; its calls and connections end, and it can call nobody.

    Example: pbx device remove "exam room 3"
    """
    confirm("It can call nobody then, not even for help. Remove the phone?", yes=yes)
    with signed_in(data) as client:
        answer = client.send("DELETE", path_of(label), Changed)
    as_json(answer) if json else say("The phone is removed.")


@app.command()
def unlock(label: LabelArgument, data: DataOption = None, json: JsonOption = False) -> None:
    """Forget the failed log-ins of a phone.

    Example: pbx device unlock "exam room 3"
    """
    with signed_in(data) as client:
        answer = client.post(path_of(label, "/unlocking"), Unlocked)
    as_json(answer) if json else say(f"{answer.opened} locks were opened.")
