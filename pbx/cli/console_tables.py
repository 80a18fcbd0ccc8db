"""What the console's panels show of one look: plain rows of printable text."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pbx.admin.models import Fact, Process
from pbx.admin.wire.console import ConsoleView
from pbx.cli.lasting import lasting
from pbx.cli.output import printable

Row = tuple[str, ...]
NOT_YOURS = "none of your roles shows this: pbx role matrix"
SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the console's tables; `rows` is None where roles do not allow it."""

    name: str
    columns: Row
    rows: Callable[[ConsoleView], list[Row] | None]
    is_counted: bool = True

    def matching(self, view: ConsoleView, words: str) -> list[Row]:
        """The rows that have every word in them, capitals or not."""
        found = self.rows(view)
        if found is None:
            return [(NOT_YOURS, *("" for _ in self.columns[1:]))]
        wanted = words.casefold().split()
        shown = [tuple(printable(cell) for cell in row) for row in found]
        return [row for row in shown if all(word in " ".join(row).casefold() for word in wanted)]


def clock(at: int) -> str:
    """Local time of day, to the second."""
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone().strftime("%H:%M:%S")


def day(at: int) -> str:
    """Local time with its date, to the minute."""
    return datetime.fromtimestamp(at / SECOND, UTC).astimezone().strftime("%m-%d %H:%M")


def _short(identifier: UUID | None) -> str:
    """The end of an identifier, which is its random part."""
    return "" if identifier is None else f"…{str(identifier)[-8:]}"


def _health(view: ConsoleView) -> list[Row]:
    status = view.status
    rows = [("exchange", status.state, f"up {lasting(status.uptime_seconds)}, {status.version}")]
    rows += [(f"process {one.name}", one.state, _since(one)) for one in status.processes]
    for name, facts in sorted(status.sections.items()):
        rows += [(name, fact, _word(value)) for fact, value in sorted(facts.items())]
    return [*rows, ("accounts", "", status.mode)]


def _since(process: Process) -> str:
    return f"up {lasting(process.uptime_seconds)}, {process.restarts} restarts"


def _word(value: Fact) -> str:
    if value is None:
        return ""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _calls(view: ConsoleView) -> list[Row] | None:
    if view.calls is None:
        return None
    return [
        (
            lasting(max(0, view.now - call.started_at) // SECOND),
            call.state,
            call.route,
            ", ".join(call.phones),
        )
        for call in view.calls
    ]


def _phones(view: ConsoleView) -> list[Row] | None:
    if view.registrations is None:
        return None
    return [
        (one.label, one.source, one.tls, one.login, clock(one.expires_at), one.user_agent)
        for one in view.registrations
    ]


def _alarms(view: ConsoleView) -> list[Row]:
    return [(alarm,) for alarm in view.status.alarms]


def _exceptions(view: ConsoleView) -> list[Row] | None:
    if view.exceptions is None:
        return None
    return [
        (one.kind, f"{one.subject_kind} {one.subject}", day(one.expires_at), _short(one.owner))
        for one in view.exceptions
    ]


def _ledger(view: ConsoleView) -> list[Row] | None:
    if view.ledger is None:
        return None
    return [
        (
            clock(line.occurred_at),
            line.action,
            line.outcome,
            f"{line.actor_kind} {_short(line.actor)}".rstrip(),
            line.subject_kind or "",
        )
        for line in view.ledger
    ]


PANELS = (
    Panel("Health", ("WHAT", "STATE", ""), _health, is_counted=False),
    Panel("Calls", ("FOR", "STATE", "ROUTE", "PHONES"), _calls),
    Panel("Phones", ("PHONE", "SOURCE", "TLS", "LOG-IN", "UNTIL", "SAYS IT IS"), _phones),
    Panel("Alarms", ("ALARM",), _alarms),
    Panel("Exceptions", ("KIND", "FOR", "UNTIL", "OWNER"), _exceptions),
    Panel("Ledger", ("AT", "ACTION", "OUTCOME", "BY", "ABOUT"), _ledger, is_counted=False),
)


def labels(view: ConsoleView) -> Iterator[str]:
    """What stands on each panel's tab: its key, its name, how much is in it."""
    for number, panel in enumerate(PANELS, 1):
        rows = panel.rows(view) if panel.is_counted else None
        count = "" if rows is None else f" {len(rows)}"
        yield f"{number} {panel.name}{count}"
