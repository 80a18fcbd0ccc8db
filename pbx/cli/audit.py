"""`pbx audit`: verify the ledger and anchor its heads off the machine, which works on its own.

Questions to the ledger, which need a signed-in person, stand in files of their own beside this.
"""

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from pbx.cli import audit_export, audit_moving, audit_review, audit_scope, audit_search, audit_trace
from pbx.cli.anchor_places import places
from pbx.cli.local_journal import NotCompared, read_journal
from pbx.cli.local_store import LocalStore, failures_as_sentences
from pbx.cli.output import CommandError, DataOption, Exit, JsonOption, as_json, say
from pbx.cli.progress import Told, progress
from storage.database import Database
from storage.identifiers import system_clock
from storage.keyholder.journal import JournalError
from storage.keyholder.signing import BadKey, Pin, is_signed
from storage.ledger import anchors
from storage.ledger.anchors import Anchor, AnchorPlace, read_anchors
from storage.ledger.reconciliation import compare, expected
from storage.ledger.report import Fault, Finding, LostRows, Report
from storage.ledger.verify import Scope
from storage.ledger.verify import verify as walk

app = typer.Typer(
    no_args_is_help=True, help="The audit ledger: ask it, verify it, anchor its heads."
)

app.command()(audit_search.search)
app.command("what-did")(audit_search.what_did)
app.command()(audit_search.words)
app.command("who-heard")(audit_trace.who_heard)
app.command("who-could")(audit_trace.who_could)
app.command()(audit_scope.scope)
app.command()(audit_export.export)
app.command("move-off")(audit_moving.move_months_off)
app.add_typer(audit_review.app, name="review")

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
FromOption = Annotated[
    datetime | None,
    typer.Option("--from", formats=FORMATS, help="Only rows recorded from this moment on (UTC)."),
]
ToOption = Annotated[
    datetime | None,
    typer.Option("--to", formats=FORMATS, help="Only rows recorded before this moment (UTC)."),
]
AnchorOption = Annotated[
    list[Path] | None,
    typer.Option("--anchor", help="A file of anchors to compare with; may be repeated."),
]
SegmentsOption = Annotated[
    Path | None,
    typer.Option("--segments", help="Where files of moved-off segments are, to walk them too."),
]
PinOption = Annotated[
    Path | None,
    typer.Option("--pin", help="Another pinned signing key than the installation's own."),
]


@app.command()
def verify(
    since: FromOption = None,
    until: ToOption = None,
    anchor: AnchorOption = None,
    segments: SegmentsOption = None,
    pin: PinOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Walk the chains and name the first row that was altered, is missing or was reordered.

    Heads are checked with the pinned key, and the ledger with the key holder's journal: read from
    its file by root, else asked of the key holder; exit 4 if neither can be had. Exit 1 if
    anything is wrong. Gaps (rows known to be lost) are listed and are no fault.
    Example: pbx audit verify --from 2026-11-01 --anchor /mnt/usb/anchors.json
    """
    store = LocalStore.of(data)
    if since is not None and until is not None and until <= since:
        raise CommandError("The span ends after it begins: --from before --to.", Exit.USAGE)
    if segments is not None and not segments.is_dir():
        raise CommandError(f"{segments}: no directory.", Exit.USAGE)
    for path in anchor or []:
        if not path.is_file():
            raise CommandError(f"{path}: no file of anchors.", Exit.USAGE)
    started = monotonic()
    with failures_as_sentences():
        scope = Scope(
            since=_micros(since),
            until=_micros(until),
            anchors=[a for path in anchor or [] for a in read_anchors(path)],
            spools=sorted(store.layout.ledger_spool.glob("*.spool")),
            segment_directory=segments,
            is_genuine=partial(is_signed, _pinned(pin or store.layout.keyholder_pin)),
        )
        with progress("verifying") as told:
            report, missing = asyncio.run(_verified(store, scope, told))
    if json:
        as_json(report)
    else:
        _print(report, monotonic() - started)
    if not report.is_whole:
        raise typer.Exit(Exit.FOUND)
    if missing:
        raise CommandError(f"{missing[:1].upper()}{missing[1:]}.", Exit.UNAVAILABLE)


@app.command("anchor")
def anchor_heads(
    file: Annotated[
        Path | None, typer.Option("--file", help="Append to this file, best on other storage.")
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help="Show a QR code to photograph.")] = False,
    syslog: Annotated[
        str | None, typer.Option("--syslog", help="HOST[:PORT] of a syslog server with TLS.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="The CA certificate of the syslog server.")
    ] = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Write the heads of all chains somewhere the owner of this machine cannot reach.

    Without a place, shows a QR code. Keep what you get: `pbx audit verify --anchor` compares.
    Example: pbx audit anchor --file /mnt/usb/anchors.json --syslog logs.clinic.example
    """
    store = LocalStore.of(data)
    chosen = places(file, qr or not (file or syslog or json), syslog, trust)
    with failures_as_sentences():
        anchor = asyncio.run(_anchored(store, chosen))
    if json:
        as_json(anchor)
    else:
        count = len(anchor.heads)
        say(f"Anchored {count} {'chain' if count == 1 else 'chains'}.")


async def _verified(store: LocalStore, scope: Scope, told: Told) -> tuple[Report, str]:
    """The report, and why the journal could not be looked at (empty if it was)."""
    database = Database.connect(store.service)
    try:
        await database.check()
        async with database.read() as connection:
            expectation = await expected(connection, system_clock(), anchors=scope.anchors)
        journal, missing, broken = expectation.journalled(), "", ""
        try:
            await read_journal(store.layout, journal)
        except NotCompared as reason:
            missing = str(reason)
        except JournalError as error:
            broken = str(error)
        report = await walk(database, scope, told)
        if broken:
            report.findings.append(Finding(Fault.JOURNAL, "", 0, broken))
        elif not missing:
            async with database.read() as connection:
                comparison = await compare(connection, expectation, journal, set())
            report.findings += comparison.findings
            report.notices += comparison.notices
            report.notices += [one.sentence for one in comparison.unfinished]
        return report, missing
    finally:
        await database.close()


async def _anchored(store: LocalStore, chosen: list[AnchorPlace]) -> Anchor:
    database = Database.connect(store.service)
    try:
        await database.check()
        anchor = await anchors.take(database, system_clock)
        for place in chosen:
            try:
                await asyncio.to_thread(place.put, anchor)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise CommandError(
                    f"The anchor was not kept ({place.name}): {reason}.", Exit.UNAVAILABLE
                ) from None
            await anchors.keep(database, anchor, place)
        return anchor
    finally:
        await database.close()


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp()) * 1_000_000


def _pinned(path: Path) -> bytes:
    try:
        return Pin.read(path).signing_key
    except BadKey as error:
        raise CommandError(f"{path}: {error}.", Exit.USAGE) from None


def _print(report: Report, seconds: float) -> None:
    for finding in report.findings:
        chain = f"{finding.writer}: " if finding.writer else ""
        say(f"{finding.fault.value.upper()}  {chain}{finding.sentence}")
    for gap in report.gaps:
        say(_gap(gap))
    for notice in report.notices:
        say(f"note  {notice}")
    verdict = "nothing altered, missing or reordered" if report.is_whole else "NOT whole"
    say(f"{report.rows} rows in {len(report.writers)} chains, {seconds:.1f} s: {verdict}.")


def _gap(gap: LostRows) -> str:
    first, last = (
        datetime.fromtimestamp(at / 1_000_000, UTC).isoformat(timespec="seconds")
        for at in (gap.first, gap.last)
    )
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(gap.kinds.items()))
    where = f"row {gap.sequence}" if gap.sequence else "in the spool"
    return f"gap  {gap.writer}, {where}: {gap.count} rows lost from {first} to {last} ({kinds})"
