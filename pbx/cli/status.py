"""`pbx status`: what is up, since when, and what deserves attention."""

from pbx.admin.models import Status
from pbx.cli.client import AdminClient
from pbx.cli.lasting import lasting
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    as_json,
    as_table,
    initialised,
    say,
)


def status(data: DataOption = None, json: JsonOption = False) -> None:
    """Show what is running and what deserves attention; exit 1 if something does.

    Example: pbx status --json
    """
    with AdminClient(initialised(data)) as client:
        answer = client.get("/v1/status", Status)
    if json:
        as_json(answer)
    else:
        _show(answer)
    if answer.alarms:
        raise CommandError(f"{len(answer.alarms)} alarm(s) deserve attention.", Exit.FOUND)


def _show(answer: Status) -> None:
    say(f"hipaa-pbx {answer.version}: {answer.state}, up {lasting(answer.uptime_seconds)}")
    say(answer.mode)
    for alarm in answer.alarms:
        say(f"ALARM  {alarm}")
    if answer.processes:
        say("")
        as_table(
            ("PROCESS", "STATE", "PID", "UP", "RESTARTS"),
            (
                (p.name, p.state, p.pid or "", lasting(p.uptime_seconds), p.restarts)
                for p in answer.processes
            ),
        )
    for name, facts in answer.sections.items():
        say("")
        as_table((name.upper(), ""), sorted(facts.items()))
