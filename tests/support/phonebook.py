"""Phones, extensions and people put straight into an installation's database, before it serves.

What the administration plane does with sessions and second factors is tested elsewhere; a thousand
phones for a load test need none of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from pbx.paths import Layout
from pbx.sip.digest import Algorithm, ha1
from storage import directory, keyfiles
from storage.database import Database
from storage.exceptions import ExceptionKind
from storage.groups import Member, Settings
from storage.models.extensions import device, extension, tenure
from storage.models.groups import ring_group, ring_group_state
from storage.models.people import person
from storage.models.phones import phone_identity
from storage.models.policies import exception
from storage.sealed.fields import Cell, FieldKey

SECRET = "a-secret-of-a-test-phone"
DAY = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One extension with one phone."""

    number: str
    username: str
    md5: bool = False
    certificate: bool = False
    answers_emergency: bool = False
    person: UUID | None = None
    mailbox: UUID | None = None
    """Those that the key holder knows; else nobody opens what is left here."""


class Phonebook:
    """Writes lines under an installation's own keys."""

    def __init__(self, layout: Layout, domain: str) -> None:
        self._domain = domain
        self._names = directory.load(layout.credentials)
        auth = keyfiles.load(layout.credentials, keyfiles.DEVICE_AUTH)
        self._auth = FieldKey(auth, "device-auth")
        self._now = time.time_ns() // 1000
        self._extensions: dict[str, UUID] = {}

    async def write(self, database: Database, lines: Sequence[Line]) -> None:
        async with database.begin() as connection:
            for line in lines:
                await self._line(connection, line)

    async def _line(self, connection: AsyncConnection, line: Line) -> None:
        number, who, phone = uuid4(), line.person or uuid4(), uuid4()
        self._extensions[line.number] = number
        await connection.execute(
            insert(extension).values(
                id=number,
                number_sealed=self._sealed(line.number, "extension", "number", number),
                number_index=self._names.index(line.number, "extension", "number"),
                created_at=self._now,
                version=1,
            )
        )
        login = f"login-{line.number}"
        await connection.execute(
            insert(person).values(
                id=who,
                kind="staff",
                state="active",
                login_sealed=self._sealed(login, "person", "login", who),
                login_index=self._names.index(login, "person", "login"),
                name_sealed=self._sealed(f"Person {line.number}", "person", "name", who),
                name_index=self._names.index(f"Person {line.number}", "person", "name"),
                created_at=self._now,
                active_at=self._now,
                version=1,
            )
        )
        held = {"id": uuid4(), "extension_id": number, "person_id": who}
        held["mailbox_id"] = line.mailbox or uuid4()
        await connection.execute(insert(tenure).values(**held, started_at=self._now))
        await self._phone(connection, line, phone, number)
        if line.md5:
            await self._exception(connection, phone, who)

    async def group(self, database: Database, number: str, *members: str) -> None:
        """A group of lines that were written before: all of them ring."""
        group, state = uuid4(), uuid4()
        rung = tuple(Member(extension=self._extensions[member]) for member in members)
        settings = msgspec.json.encode(Settings(name="Group", members=rung)).decode()
        sealed = self._sealed(settings, "ring_group_state", "settings", state)
        async with database.begin() as connection:
            await connection.execute(
                insert(extension).values(
                    id=group,
                    number_sealed=self._sealed(number, "extension", "number", group),
                    number_index=self._names.index(number, "extension", "number"),
                    created_at=self._now,
                    version=1,
                )
            )
            await connection.execute(insert(ring_group).values(id=group, state_id=state, version=1))
            values = {"id": state, "group_id": group, "settings_sealed": sealed}
            await connection.execute(insert(ring_group_state).values(**values, made_at=self._now))

    async def _phone(
        self, connection: AsyncConnection, line: Line, phone: UUID, number: UUID
    ) -> None:
        await connection.execute(
            insert(device).values(
                id=phone,
                label_sealed=self._sealed(line.username, "device", "label", phone),
                label_index=self._names.index(line.username, "device", "label"),
                place="private",
                extension_id=number,
                created_at=self._now,
                version=1,
            )
        )
        algorithm = Algorithm.MD5 if line.md5 else Algorithm.SHA_256
        secret = ha1(algorithm, line.username, self._domain, SECRET)
        cell = Cell("phone_identity", "ha1", phone)
        await connection.execute(
            insert(phone_identity).values(
                id=phone,
                username=line.username,
                algorithm=algorithm.value,
                ha1_sealed=None if line.certificate else self._auth.seal_bytes(secret, cell),
                certificate=f"sip:{line.username}@{self._domain}" if line.certificate else None,
                has_used_sha256=False,
                answers_emergency=line.answers_emergency,
                changed_at=self._now,
                version=1,
            )
        )

    async def _exception(self, connection: AsyncConnection, phone: UUID, owner: UUID) -> None:
        name = uuid4()
        await connection.execute(
            insert(exception).values(
                id=name,
                kind=ExceptionKind.MD5_DEVICE,
                subject_kind="device",
                subject_id=phone,
                owner_id=owner,
                reason_sealed=self._sealed("it can no better", "exception", "reason", name),
                granted_at=self._now,
                expires_at=self._now + 30 * DAY,
                version=1,
            )
        )

    def _sealed(self, text: str, table: str, column: str, row: UUID) -> bytes:
        return self._names.seal(text, Cell(table, column, row))
