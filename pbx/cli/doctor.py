"""`pbx doctor`: attack the running system and say which promises hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from certs.stock import Stock
from pbx.admin.models import Status
from pbx.cli.call_test import line_of, trial_line
from pbx.cli.client import AdminClient
from pbx.cli.local_store import LocalStore
from pbx.cli.output import (
    CommandError,
    DataOption,
    Exit,
    JsonOption,
    as_json,
    initialised,
    printable,
    say,
)
from pbx.cli.session import signed_in
from pbx.config import Config, ConfigError, load
from pbx.doctor.finding import Finding, Verdict
from pbx.doctor.run import Patient, findings
from pbx.doctor.target import Canary, Target
from pbx.doctor.trial import Trial
from pbx.paths import Layout
from pbx.processes import accounts
from pbx.processes.accounts import AccountError, Accounts

DeviceOption = Annotated[
    str | None, typer.Option("--device", help="A phone's username, to look behind the log-in.")
]
SecretOption = Annotated[
    Path | None, typer.Option("--secret-file", help="A file with that phone's secret.")
]
HostOption = Annotated[
    list[str] | None, typer.Option("--host", help="Addresses to attack instead of our own.")
]


def doctor(
    device: DeviceOption = None,
    secret_file: SecretOption = None,
    host: HostOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Attack the running exchange and say what holds; exit 1 if something does not.

    Attempts to log in are made and are written to the ledger. Calls are tried with two phones that
    exist for the examination alone, if somebody has signed in; or with one of yours.
    Example: pbx doctor
    """
    layout = initialised(data)
    config = _config(layout)
    target = Target.of(config, Stock(layout.certificates).root, _canary(device, secret_file))
    pids, target = _running(layout, target)
    if host:
        target = target.at(tuple(host))
    with _trial(data, target) as trial:
        if trial is not None and target.canary is None:
            target = replace(target, canary=Canary(trial.caller.username, trial.caller.secret))
        patient = Patient(
            layout=layout,
            config=config,
            target=target,
            database=LocalStore.of(data).service,
            owners=_owners(),
            pids=pids,
            trial=trial,
        )
        found = _examined(patient, is_shown=not json)
    if json:
        as_json(found)
    broken = sum(finding.verdict is Verdict.BROKEN for finding in found)
    if broken:
        one = "promise does" if broken == 1 else "promises do"
        raise CommandError(f"{broken} {one} not hold.", Exit.FOUND)


def _examined(patient: Patient, *, is_shown: bool) -> list[Finding]:
    found: list[Finding] = []
    for finding in findings(patient):
        found.append(finding)
        if is_shown:
            _show(finding)
    return found


@contextmanager
def _trial(data: Path | None, target: Target) -> Iterator[Trial | None]:
    """Two phones of the examination's own; None where nobody has signed in who may have them."""
    with ExitStack() as stack:
        try:
            client = stack.enter_context(signed_in(data))
            line = stack.enter_context(trial_line(client))
        except CommandError:
            yield None
            return
        lines = (line_of(line.caller, target.host), line_of(line.callee, target.host))
        yield Trial(*lines, line.number)


def _show(finding: Finding) -> None:
    say(f"{finding.verdict.value:11}  {finding.promise}: {printable(finding.evidence)}")


def _config(layout: Layout) -> Config:
    try:
        return load(layout.config_file)
    except ConfigError as error:
        raise CommandError(str(error), Exit.USAGE) from None


def _canary(device: str | None, secret_file: Path | None) -> Canary | None:
    """A secret is never an argument: other accounts can read those."""
    if device is None and secret_file is None:
        return None
    if device is None or secret_file is None:
        raise CommandError("--device and --secret-file belong together.", Exit.USAGE)
    return Canary(device, secret_file.read_text(encoding="utf-8").strip())


def _owners() -> Accounts | None:
    try:
        return accounts.current()
    except AccountError:
        return None


def _running(layout: Layout, target: Target) -> tuple[dict[str, int], Target]:
    """The processes, and the ports the kernel chose where the configuration leaves them open."""
    try:
        with AdminClient(layout) as client:
            status = client.get("/v1/status", Status)
    except CommandError:
        return {}, target
    facts = status.sections.get("telephony", {})
    target = target.heard(
        str(facts.get("listening", "")), str(facts.get("client certificates", ""))
    )
    return {p.name: p.pid for p in status.processes if p.pid}, target
