"""`pbx person dnd`, `forward` and `call-waiting`: how somebody is reached."""

from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from pbx.admin.wire.fields import Changed
from pbx.admin.wire.reach import ReachView, Setting
from pbx.cli.client import AdminClient
from pbx.cli.moments import UntilOption, shown, until
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, say
from pbx.cli.session import signed_in

WhoArgument = Annotated[str, typer.Argument(help="A log-in name or identifier; `me`: your own.")]


class When(StrEnum):
    ALWAYS = "always"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    OFFLINE = "offline"


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


def dnd(
    who: WhoArgument,
    switch: Annotated[Switch, typer.Argument(help="On, or off again.")],
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Do-not-disturb: calls go where they go when the person is busy. Emergencies ring always.

    Example: pbx person dnd me on --until +2h
    """
    on = switch is Switch.ON
    body = {"setting": Setting.DO_NOT_DISTURB, "is_on": on, "until": until(until_)}
    answer = _change(who, body, data)
    as_json(answer) if json else say(f"Do-not-disturb is {switch}.")


def forward(
    who: WhoArgument,
    when: Annotated[When, typer.Argument(help="When calls are sent on.")],
    to: Annotated[str, typer.Argument(metavar="NUMBER|off", help="An extension, or off.")],
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Send calls on to another extension of the house, or stop doing so.

    Example: pbx person forward me no-answer 1002 --until 2026-12-31
    """
    number = None if to == Switch.OFF else to
    if number is not None and not (number.isascii() and number.isdigit() and len(number) <= 20):
        raise CommandError("Calls are sent on to an extension, such as 1002, or `off`.", Exit.USAGE)
    body = {
        "setting": Setting(when.value),
        "is_on": number is not None,
        "number": number,
        "until": until(until_),
    }
    answer = _change(who, body, data)
    done = "Calls are not sent on any more." if number is None else "Calls are sent on."
    as_json(answer) if json else say(done)


def call_waiting(
    who: WhoArgument,
    most: Annotated[str, typer.Argument(metavar="CALLS|off", help="1: no second call rings.")],
    until_: UntilOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """How many calls somebody takes at once; the next one goes where calls go when they are busy.

    Example: pbx person call-waiting me 1 --until +4h
    """
    if most != Switch.OFF and not (most.isascii() and most.isdigit() and 0 < int(most[:3]) <= 50):
        raise CommandError("Say 1 to 50 calls, or `off`.", Exit.USAGE)
    calls = None if most == Switch.OFF else int(most)
    setting = Setting.CALL_WAITING
    body = {"setting": setting, "is_on": calls is not None, "most_calls": calls}
    answer = _change(who, {**body, "until": until(until_)}, data)
    done = "As many calls as come ring." if calls is None else f"At most {calls} at once."
    as_json(answer) if json else say(done)


def undo_own(client: AdminClient) -> Changed:
    """For `pbx undo me`."""
    return client.post("/v1/own/reach/undoing", Changed)


def undo_at(client: AdminClient, number: str) -> Changed:
    """For `pbx undo` of a number whose holder has set something."""
    path = f"/v1/extensions/{quote(number, safe='')}/reach/undoing"
    return client.post(path, Changed)


def reach_of(client: AdminClient, who: str) -> list[ReachView]:
    return client.get(_path(who), list[ReachView])


def lines(found: list[ReachView]) -> dict[str, str]:
    """For the table of one person."""
    shown_: dict[str, str] = {}
    for reach in found:
        if reach.do_not_disturb:
            shown_[f"{reach.number} do-not-disturb"] = _ends("on", reach.undisturbed_until)
        if reach.most_calls is not None:
            most = _ends(str(reach.most_calls), reach.most_calls_until)
            shown_[f"{reach.number} calls at once"] = most
        for forward_ in reach.forwards:
            to = _ends(f"to {forward_.number}", forward_.until)
            shown_[f"{reach.number} {forward_.when}"] = to
    return shown_


def _ends(what: str, at: int | None) -> str:
    return what if at is None else f"{what} until {shown(at)}"


def _change(who: str, body: dict[str, object], data: DataOption) -> Changed:
    with signed_in(data) as client:
        return client.post(_path(who), Changed, body)


def _path(who: str) -> str:
    return "/v1/own/reach" if who == "me" else f"/v1/people/{quote(who, safe='')}/reach"
