"""An export is verified by a stranger's script, and nothing can be changed in it unseen.

FLIPS=1 flips every bit; by default one bit of every byte is.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType
from uuid import UUID

import msgspec
import pytest

from storage.audit import export as exports
from storage.audit.export import Export
from storage.database import Database
from storage.keyholder.signing import Pin
from storage.ledger.actions import Action, Outcome
from storage.ledger.committer import Committer
from storage.ledger.entry import Actor, ActorKind, Entry
from storage.ledger.heads import HeadMaker
from storage.ledger.unit import Unit
from tests.support.ledger import Signer, TestClock, fill

SCRIPT = Path(__file__).parents[3] / "deploy" / "audit" / "verify_export.py"
EXPORT, OFFICER = UUID(int=77), UUID(int=78)


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_export", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def begun(database: Database, signer: Signer, since: int = 0, id: UUID = EXPORT) -> Export:
    """The row of an export, and the key holder's signature beyond it."""
    clock = TestClock()
    async with database.read() as connection:
        chains = await exports.chains_of(connection, "exchange", since)

    async def work(unit: Unit) -> None:
        unit.record(
            Entry(
                action=Action.AUDIT_EXPORTED,
                outcome=Outcome.DONE,
                actor=Actor(ActorKind.PERSON, OFFICER),
                operation=id,
                after={"since": since, "chains": msgspec.to_builtins(chains)},
            )
        )

    async with Committer(database, "exchange", clock=clock) as committer:
        await committer.run(work)
        await HeadMaker(database, clock=clock, signer=signer).make("exchange")
        await committer.run(work_of_others)
    async with database.read() as connection:
        found = await exports.find(connection, id)
    assert found is not None
    return found


async def work_of_others(unit: Unit) -> None:
    """What happens while the file is being written is not in it."""
    unit.record(
        Entry(
            action=Action.SYSTEM_STARTED,
            outcome=Outcome.DONE,
            actor=Actor(ActorKind.SYSTEM),
            operation=UUID(int=1),
        )
    )


async def file_of(database: Database, export: Export) -> list[str]:
    lines: list[str] = []
    at = 0
    while True:
        async with database.read() as connection:
            page, at = await exports.lines(connection, export, at)
        lines += page
        if at == 0:
            return lines


@pytest.fixture
def signer() -> Signer:
    return Signer(TestClock())


@pytest.fixture
async def lines(database: Database, signer: Signer) -> list[str]:
    """Three chains, one of which nobody signs."""
    for writer, count in (("exchange", 4), ("command", 2), ("exchange.spool.1", 2)):
        await fill(database, count, writer)
    return await file_of(database, await begun(database, signer))


@pytest.fixture
def is_genuine(tmp_path: Path, signer: Signer) -> Callable[[bytes], bool]:
    module, path = script(), tmp_path / "export"

    def verified(data: bytes) -> bool:
        path.write_bytes(data)
        try:
            with path.open("rb") as file:
                return "exported" in module.verify(file, signer.public)
        except Exception:  # noqa: BLE001 - as the script itself
            return False

    return verified


def joined(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_the_script_fits_on_two_pages_and_needs_nothing_of_ours() -> None:
    text = SCRIPT.read_text()

    assert len(text.splitlines()) <= 100
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if "import " in line
                and line.startswith(("import", "from"))}  # fmt: skip
    assert imported - {"cryptography"} <= sys.stdlib_module_names


async def test_a_stranger_verifies_it_with_the_public_key(
    lines: list[str], signer: Signer, tmp_path: Path
) -> None:
    export, pin, other = (tmp_path / name for name in ("export", "pin", "other"))
    export.write_bytes(joined(lines))
    Pin(signer.public).write(pin)
    Pin(Signer(TestClock()).public).write(other)

    def run(key: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", SCRIPT, export, key]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    good, bad = run(pin), run(other)

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("Genuine: 9 rows in 3 chains, exported ")
    assert str(OFFICER) in good.stdout
    assert bad.returncode == 1
    assert bad.stderr.startswith("NOT genuine")
    assert "Traceback" not in bad.stderr


async def test_any_flipped_byte_is_found(
    database: Database, lines: list[str], is_genuine: Callable[[bytes], bool]
) -> None:
    data = joined(lines)
    assert is_genuine(data)
    bits = range(8) if os.environ.get("FLIPS") else None
    random = Random(len(data))

    for place, byte in list(enumerate(data))[:: 1 if database.is_sqlite else 16]:
        # The bit that tells small letters from capitals, which a reader of numbers forgives.
        for bit in bits or (5 if chr(byte).isalpha() else random.randrange(8),):
            changed = bytes((byte ^ 1 << bit,))
            assert not is_genuine(data[:place] + changed + data[place + 1 :]), (place, bit)


async def test_a_dropped_added_or_moved_line_is_found(
    lines: list[str], is_genuine: Callable[[bytes], bool]
) -> None:
    for place in range(len(lines)):
        assert not is_genuine(joined(lines[:place] + lines[place + 1 :])), place
        assert not is_genuine(joined(lines[:place])), place
        assert not is_genuine(joined([*lines[:place], lines[place], *lines[place:]])), place
        if place:
            swapped = [*lines[: place - 1], lines[place], lines[place - 1], *lines[place + 1 :]]
            assert not is_genuine(joined(swapped)), place
    assert not is_genuine(joined(lines)[:-1])
    assert not is_genuine(joined([*lines, ""]))
    assert not is_genuine(joined(lines).replace(b"\n", b"\r\n"))
    chains = {line.split('"')[1] for line in lines[1:-1]}
    assert chains == {"exchange", "command", "exchange.spool.1"}
    for chain in chains:
        without = [line for line in lines if not line.startswith(f'["{chain}"')]
        assert not is_genuine(joined(without)), chain


async def test_an_older_head_does_not_make_a_shorter_export(
    database: Database, signer: Signer, is_genuine: Callable[[bytes], bool]
) -> None:
    await fill(database, 3)
    first = await file_of(database, await begun(database, signer))
    second = await file_of(database, await begun(database, signer, id=UUID(int=99)))
    assert is_genuine(joined(first))
    assert is_genuine(joined(second))

    cut = [second[0], *(line for line in second if line in first[1:-1]), first[-1]]

    assert len(cut) == len(first)
    assert not is_genuine(joined(cut))


async def test_an_export_since_a_moment_begins_there(
    database: Database, signer: Signer, is_genuine: Callable[[bytes], bool]
) -> None:
    rows = await fill(database, 6)
    await fill(database, 2, "command")
    found = await begun(database, signer, since=rows[4].recorded_at)

    lines = await file_of(database, found)

    assert [line.split(",")[1] for line in lines[1:-1]] == ["5", "6", "7"]
    assert is_genuine(joined(lines))
    assert not is_genuine(joined([lines[0], *lines[2:]]))


async def test_pages_are_the_whole_file(
    database: Database, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, 9)
    await fill(database, 5, "command")
    found = await begun(database, signer)
    whole = await file_of(database, found)

    for size in (1, 2, 3, 7):
        monkeypatch.setattr(exports, "PAGE", size)
        assert await file_of(database, found) == whole, size


async def test_what_is_not_signed_yet_has_no_end(database: Database) -> None:
    away = Signer(TestClock())
    away.is_away = True
    await fill(database, 2)

    found = await begun(database, away)

    assert found.head is None
    async with database.read() as connection:
        assert await exports.find(connection, UUID(int=5)) is None
        with pytest.raises(ValueError, match="not signed"):
            await exports.lines(connection, found, 2)
