"""`pbx restart`: a new exchange in the place of the old one, and no call lost."""

import re
import time
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from pbx.admin.wire.restarts import RestartOrder, RestartView
from pbx.cli.client import AdminClient
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, initialised, say
from pbx.cli.session import signed_in
from pbx.restarting import LONGEST

EVERY: Final = 0.5
COMES_BACK_WITHIN: Final = 60.0
SPAN: Final = re.compile(r"(\d{1,5})([smh])")
UNITS: Final = {"s": 1, "m": 60, "h": 3_600}
USUAL: Final = "1m"


def restart(
    drain: Annotated[
        bool, typer.Option("--drain", help="Wait until no call is up, before it restarts.")
    ] = False,
    within: Annotated[
        str, typer.Option("--within", help="Wait no longer: 30s, 5m, 1h. Who talks goes on then.")
    ] = USUAL,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show how it goes until it is back.")
    ] = True,
    call_off: Annotated[
        bool, typer.Option("--call-off", help="Do not restart after all; new calls are let in.")
    ] = False,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Restart the exchange; whoever talks goes on talking, and phones come back by themselves.

    Phones that ring are waited for, and new calls are refused meanwhile, emergency calls excepted.

    Example: pbx restart --drain --within 10m
    """
    order = RestartOrder(drain=drain, seconds=_seconds(within))
    with signed_in(data) as client:
        if call_off:
            answer = client.send("DELETE", "/v1/restart", RestartView)
            if answer.state != "none":
                raise CommandError("It is too late: the exchange restarts.", Exit.FOUND)
            as_json(answer) if json else say("The exchange is not restarted.")
            return
        began = client.post("/v1/restart", RestartView, order)
    if not wait:
        as_json(began) if json else say(_waits(began) or "The exchange restarts.")
        return
    with AdminClient(initialised(data)) as client:
        back = _follow(client, began, quiet=json)
    as_json(back) if json else say(_back(back))


def _seconds(text: str) -> int:
    found = SPAN.fullmatch(text)
    seconds = int(found[1]) * UNITS[found[2]] if found else -1
    if not 0 <= seconds <= LONGEST:
        raise CommandError("--within is written 30s, 5m or 1h, and is a day at most.", Exit.USAGE)
    return seconds


def _follow(client: AdminClient, began: RestartView, *, quiet: bool) -> RestartView:
    """Says what it waits for until another process answers."""
    said = ""
    for view in _views(client, began):
        if view.run != began.run:
            return view
        if view.state == "none":
            raise CommandError("The restart was called off.", Exit.FOUND)
        if not quiet and (sentence := _waits(view)) != said:
            say(said := sentence)
    raise CommandError(
        "The exchange is not back yet; look again with: pbx status", Exit.UNAVAILABLE
    )


def _views(client: AdminClient, began: RestartView) -> Iterator[RestartView]:
    """What the exchange answers while it can be asked, and again when it is back."""
    yield began
    last = time.monotonic() + began.seconds_left + COMES_BACK_WITHIN
    while time.monotonic() < last:
        time.sleep(EVERY)
        try:
            yield client.get("/v1/restart", RestartView)
        except CommandError as error:
            if error.code != Exit.UNAVAILABLE:
                raise


def _waits(view: RestartView) -> str:
    if view.state != "waiting" or not view.awaited:
        return ""
    calls = "1 call" if view.awaited == 1 else f"{view.awaited} calls"
    what = "to end" if view.is_draining else "to be answered or to end"
    return f"Waiting for {calls} {what}; {_span(view.seconds_left)} left."


def _span(seconds: int) -> str:
    """Coarse, so that a line is not written for each second."""
    return f"{seconds // 60 + 1} min" if seconds > 90 else f"{-(-seconds // 10) * 10} s"


def _back(view: RestartView) -> str:
    if not view.taken_back:
        return "The exchange is back."
    return f"The exchange is back; calls taken back: {view.taken_back}."
