"""Database, key store or both put back from an older copy (SECURITY.md, the ledger)."""

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbx.cli import main as cli
from pbx.cli.client import AdminClient
from pbx.cli.output import Exit
from pbx.config import load
from pbx.first_people import Wanted, make
from pbx.paths import Layout
from storage.database import Database
from storage.ledger.keeper import HeadKeeper
from tests.support.clinic import Clinic
from tests.support.databases import sqlite_urls
from tests.support.installation import SETTINGS, install, serving

pytestmark = pytest.mark.phoneless


@dataclass(frozen=True)
class Copies:
    """The same clinic before and after an hour's work."""

    old: Layout
    new: Layout
    anchor: Path


async def sign(clinic: Clinic) -> None:
    plane = clinic.plane
    keeper = HeadKeeper(plane.database, "exchange", clock=plane.clock, signer=plane.keyholder)
    assert await keeper.keep() > 0


def copied(clinic: Clinic, to: Path) -> Layout:
    shutil.copytree(clinic.layout.root, to, ignore=shutil.ignore_patterns("run"))
    # The root key of the test's key store lies beside it; nothing here opens the store.
    return Layout(to)


@pytest.fixture
async def copies(clinic: Clinic, tmp_path: Path) -> Copies:
    root = await clinic.found()
    await sign(clinic)
    old = copied(clinic, tmp_path / "old")
    await clinic.hire("ann", root)
    await sign(clinic)
    new = copied(clinic, tmp_path / "new")
    anchor = tmp_path / "anchor.json"
    arguments = ["audit", "anchor", "--file", str(anchor), "--data", str(new.root)]
    assert await asyncio.to_thread(cli.run, arguments) == Exit.DONE
    return Copies(old, new, anchor)


def put_back(copies: Copies, *parts: str) -> Layout:
    """The installation of today with these directories of yesterday."""
    mixed = Layout(copies.new.root.parent / "mixed")
    shutil.copytree(copies.new.root, mixed.root)
    for part in parts:
        shutil.rmtree(mixed.root / part)
        shutil.copytree(copies.old.root / part, mixed.root / part)
    return mixed


async def verified(layout: Layout, capsys: pytest.CaptureFixture[str], *more: str) -> list[str]:
    capsys.readouterr()
    arguments = ["audit", "verify", "--json", "--data", str(layout.root), *more]
    code = await asyncio.to_thread(cli.run, arguments)
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert code == (Exit.FOUND if findings else Exit.DONE)
    return [finding["sentence"] for finding in findings]


async def test_nothing_put_back_is_whole(
    copies: Copies, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await verified(copies.new, capsys, "--anchor", str(copies.anchor)) == []
    assert await verified(copies.old, capsys) == []


async def test_the_database_alone_is_seen(
    copies: Copies, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await verified(put_back(copies, "database"), capsys)

    assert "the database was put back from an older copy" in found[0]
    assert all("was done without audit" in sentence for sentence in found[1:])


async def test_the_key_store_alone_is_seen(
    copies: Copies, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await verified(put_back(copies, "keys"), capsys)

    assert "the key store was put back from an older copy" in found[0]


async def test_both_together_are_seen_only_against_an_anchor(
    copies: Copies, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = put_back(copies, "database", "keys")

    assert await verified(layout, capsys) == []

    found = await verified(layout, capsys, "--anchor", str(copies.anchor))
    assert any("an anchor knows them" in sentence for sentence in found)
    assert any("the anchor carries entry" in sentence for sentence in found)


async def test_an_altered_or_missing_journal_is_a_finding(
    copies: Copies, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = copies.new.keys / "journal"
    content = bytearray(journal.read_bytes())
    content[90] ^= 1
    journal.write_bytes(content)
    assert await verified(copies.new, capsys) == ["journal: the chain is broken"]

    journal.unlink()

    assert await verified(copies.new, capsys) == ["journal: missing or not readable"]


async def test_without_file_and_key_holder_it_says_what_was_not_compared(
    copies: Copies, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(copies.new.keys)

    code = await asyncio.to_thread(cli.run, ["audit", "verify", "--data", str(copies.new.root)])

    assert code == Exit.UNAVAILABLE
    assert "was not compared with the key holder's journal" in capsys.readouterr().err


async def test_the_running_key_holder_is_asked_where_its_file_is_elsewhere(
    clinic: Clinic, capsys: pytest.CaptureFixture[str]
) -> None:
    await clinic.found()
    await sign(clinic)
    clinic.layout.keys.rename(clinic.layout.keys.with_name("elsewhere"))

    assert await verified(clinic.layout, capsys) == []


@pytest.mark.timeout(600)
async def test_a_running_exchange_raises_the_alarm_by_itself(open_path: Path) -> None:
    layout = install(open_path / "pbx", SETTINGS + "[storage]\nhead_seconds = 1\n")
    shutil.copytree(layout.database, open_path / "yesterday")
    config = load(layout.config_file)
    person = Wanted("admin", "Ada Admin", bytearray(b"a good long password"), lambda _: None)
    await asyncio.to_thread(make, layout, config, person)
    async with serving(layout):
        await head_is_signed(layout)
    shutil.rmtree(layout.database)
    shutil.copytree(open_path / "yesterday", layout.database)

    async with serving(layout):
        alarms = await asyncio.to_thread(alarms_of, layout)

    assert any("the database was put back" in alarm for alarm in alarms), alarms


async def head_is_signed(layout: Layout) -> None:
    from storage.ledger.heads import newest

    database = Database.connect(sqlite_urls(layout.database_file).service)
    try:
        async with asyncio.timeout(60):
            while True:
                async with database.read() as connection:
                    if await newest(connection, "exchange", only_signed=True) is not None:
                        return
                await asyncio.sleep(0.1)  # another process has no event to wait for
    finally:
        await database.close()


def alarms_of(layout: Layout) -> list[str]:
    """Asked until there is one, for at most half a minute."""
    import time

    from pbx.admin.models import Status

    end = time.monotonic() + 30
    with AdminClient(layout, {}) as client:
        while True:
            alarms = client.get("/v1/status", Status).alarms
            if any("put back" in alarm for alarm in alarms) or time.monotonic() > end:
                return list(alarms)
            time.sleep(0.2)
