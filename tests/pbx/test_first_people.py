"""The first people of an installation: they enrol themselves, are flagged, and have no default."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from pbx.admin.bootstrap import BootstrapRefused
from pbx.cli.enrolment import show_enrolment
from pbx.cli.founders import Founders, generated, is_code_of
from pbx.config import Config, ExchangeConfig
from pbx.first_people import BACK, Made, Wanted, make
from pbx.paths import Layout
from storage import directory, keyfiles, schema
from storage.config import database_url
from storage.database import Database
from storage.identifiers import system_clock
from storage.keyholder import founding
from storage.keyholder.config import KeyHolderConfig
from storage.keyholder.keystores.choice import prepare
from storage.keyholder.protocol import Enrolment
from storage.models.ledger import ledger
from storage.models.people import role_grant
from storage.sealed.primitives import hotp


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """What init has made before it asks for people."""
    layout = Layout(tmp_path)
    for part in (layout.keys, layout.database, layout.credentials, layout.config):
        part.mkdir(mode=0o700)
    schema.upgrade(database_url(f"sqlite:///{layout.database_file}"))
    directory.create(layout.credentials)
    keyfiles.create(layout.credentials, keyfiles.DEVICE_AUTH)
    config = KeyHolderConfig()
    keystore = prepare(config, layout.keys, {})
    pin = founding.create(layout.keys, keystore, config, lambda: system_clock() - BACK)
    pin.write(layout.keyholder_pin)
    return layout


CONFIG = Config(exchange=ExchangeConfig(domain="pbx.example"))


def wanted(**more: object) -> Wanted:
    seen: list[Enrolment] = []
    password = bytearray(b"a good long password")
    return Wanted("admin", "Ada Admin", password, seen.append, **more)  # type: ignore[arg-type]


async def rows(layout: Layout) -> list[tuple[str, str, str]]:
    database = Database.connect(database_url(f"sqlite:///{layout.database_file}"))
    async with database.read() as connection:
        found = (await connection.execute(select(ledger).order_by(ledger.c.sequence))).all()
        grants = (await connection.execute(select(role_grant.c.by_installation))).scalars().all()
    await database.close()
    assert all(grants)
    answered = {row.operation for row in found if row.outcome != "intended"}
    assert {row.operation for row in found} == answered, "an intent stays open"
    return [(row.action, row.outcome, row.actor_kind) for row in found]


def test_an_administrator_a_manager_and_two_samples(layout: Layout) -> None:
    made = make(layout, CONFIG, wanted(manager=("mona", "Mona Manager"), samples=True))

    assert made.extensions == {"1001": "Anna Sample", "1002": "Ben Sample"}
    assert made.manager_code
    assert list(made.phones) == ["phone 1001", "phone 1002"]
    assert len({phone.secret for phone in made.phones.values()}) == 2
    recorded = asyncio.run(rows(layout))
    done = [action for action, outcome, _ in recorded if outcome == "done"]
    assert done.count("person.added") == 4
    assert done.count("grant.made") == 2
    assert done.count("extension.assigned") == 2
    assert done.count("device.added") == done.count("device.rekeyed") == 2
    assert done.count("device.emergency_set") == 1
    assert ("grant.made", "done", "installation") in recorded


def test_there_is_one_first_administrator(layout: Layout) -> None:
    make(layout, CONFIG, wanted())

    with pytest.raises(Exception, match="refused") as caught:
        make(layout, CONFIG, wanted())
    assert not isinstance(caught.value, BootstrapRefused)


def test_a_generated_password_is_shown_once_and_stored_nowhere(
    layout: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    founders = Founders(generate=True)

    founders(layout, CONFIG)

    shown = capsys.readouterr().out
    password = shown.split("password (shown once): ")[1].split("\n")[0]
    assert shown.count(password) == 1
    assert isinstance(founders.made, Made)
    secret = shown.split("or type in: ")[1].split("\n")[0]
    for path in layout.root.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path
            assert secret.encode() not in path.read_bytes(), path


def test_generated_passwords_are_long_and_never_the_same() -> None:
    made = {generated() for _ in range(50)}

    assert len(made) == 50
    assert all(len(password) == 24 for password in made)


def test_the_code_of_the_app_is_checked_before_anybody_relies_on_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    enrolment = Enrolment("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "otpauth://totp/x?secret=G", ("A",))
    now = 1_800_000_000_000_000
    right = hotp(b"12345678901234567890", now // 30_000_000)

    assert is_code_of(enrolment, right, lambda: now)
    assert is_code_of(enrolment, right, lambda: now + 30_000_000)
    assert not is_code_of(enrolment, right, lambda: now + 120_000_000)
    show_enrolment(enrolment)
    assert "GEZDGNBVGY3TQOJQ" in capsys.readouterr().out
