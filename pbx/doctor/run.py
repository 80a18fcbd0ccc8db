"""All checks, in the order a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

from pbx.config import Config
from pbx.doctor import clear, ledger, login, media, messages, places, sockets, trial
from pbx.doctor.finding import Finding
from pbx.doctor.ledger import Books
from pbx.doctor.sockets import Known
from pbx.doctor.target import Target
from pbx.doctor.trial import Trial
from pbx.paths import Layout
from pbx.processes.accounts import Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One installation, and what is known of it while it runs."""

    layout: Layout
    config: Config
    target: Target
    database: URL
    owners: Accounts | None = None
    """None: the accounts do not exist."""
    pids: Mapping[str, int] = field(default_factory=dict)
    """Running processes by name; empty: it does not run."""
    trial: Trial | None = None
    """Phones for a call; None: nobody has signed in."""


def findings(patient: Patient) -> Iterator[Finding]:
    layout, config, target = patient.layout, patient.config, patient.target
    yield from clear.findings(target)
    yield from trial.findings(patient.trial)
    yield from login.findings(target)
    yield from media.findings(target)
    management = (config.admin.endpoint()[1],) if config.admin.listen else ()
    known = Known(
        tls=frozenset((target.port, target.md5_port, target.certificate_port, *management)),
        media=target.media_ports,
        local=frozenset((config.metrics.port,)),
    )
    yield from sockets.findings(list(patient.pids.values()), known)
    workers = config.media.worker_count
    yield from places.findings(layout, patient.owners, workers, patient.pids)
    yield from messages.findings(layout, patient.owners)
    yield from ledger.findings(Books(patient.database, layout.ledger_spool, layout.keyholder_pin))
