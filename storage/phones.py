"""Phones as SIP knows them: identity, the one HA1 or certificate, and where they were last seen.

The HA1 is sealed under the device-auth key, which lies in the exchange's credential directory: a
stolen database registers no phone. A device has exactly one HA1, of one algorithm.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.conflicts import NotFound, WrongState
from storage.deeds import Deed
from storage.ledger.actions import Action
from storage.ledger.entry import Subject
from storage.ledger.unit import Unit
from storage.models.extensions import device
from storage.models.phones import phone_identity, phone_place, phone_presence
from storage.phone_places import PhonePlaces
from storage.sealed.fields import Cell, FieldKey
from storage.slices import slices
from storage.versions import change

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter that is read as another: people type these into phones."""
USERNAME_LENGTH, SECRET_LENGTH = 10, 24
"""31**24 is above 2**118: no dictionary or rainbow table reaches an HA1 of it."""


def new_username() -> str:
    return "p" + _random(USERNAME_LENGTH - 1)


def new_secret() -> str:
    return _random(SECRET_LENGTH)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneIdentity:
    """How a device proves itself."""

    device: UUID
    username: str
    algorithm: str
    ha1: bytes
    """Empty: it has no secret."""
    certificate: str
    has_used_sha256: bool
    answers_emergency: bool
    version: int
    shows_lamp: bool = True
    manner: str = ""
    """How it describes its media, in words of `pbx.b2bua.manners`; empty: nobody has said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Where a device was last seen."""

    device: UUID
    first_seen_at: int
    seen_at: int
    registered_until: int
    source: str
    user_agent: str


class Phones:
    """The tables of phones, in verbs."""

    def __init__(self, auth: FieldKey) -> None:
        """`auth` is the device-auth key's."""
        self._auth = auth
        self.places = PhonePlaces(auth)

    async def enrol(self, unit: Unit, deed: Deed, device: UUID, username: str) -> None:
        """A device gets a SIP identity, but nothing yet to prove it with."""
        await unit.connection.execute(
            insert(phone_identity).values(
                id=device,
                username=username,
                algorithm="SHA-256",
                has_used_sha256=False,
                answers_emergency=False,
                changed_at=deed.at,
                version=1,
            )
        )

    async def give_secret(
        self, unit: Unit, deed: Deed, device: UUID, algorithm: str, ha1: bytes
    ) -> None:
        """Replace the one HA1; the old secret is worth nothing from now on."""
        row = await _row(unit.connection, device)
        if algorithm == "MD5" and row.has_used_sha256:
            raise WrongState("phone", "can do SHA-256 and does not go back to MD5")
        sealed = self._auth.seal_bytes(ha1, Cell("phone_identity", "ha1", device))
        values = {"algorithm": algorithm, "ha1_sealed": sealed, "changed_at": deed.at}
        await change(unit.connection, phone_identity, device, row.version, values)
        unit.record(
            deed.entry(
                Action.DEVICE_REKEYED,
                _subject(device),
                before={"algorithm": row.algorithm},
                after={"algorithm": algorithm},
            )
        )

    async def certify(self, unit: Unit, deed: Deed, device: UUID, identity: str | None) -> None:
        """Bind the identity in a client certificate to the device; None: no certificate."""
        row = await _row(unit.connection, device)
        values = {"certificate": identity, "changed_at": deed.at}
        await change(unit.connection, phone_identity, device, row.version, values)
        unit.record(
            deed.entry(
                Action.DEVICE_CERTIFIED, _subject(device), after={"certified": identity is not None}
            )
        )

    async def set_emergency(self, unit: Unit, deed: Deed, device: UUID, answers: bool) -> None:
        """Whether the phone rings for an emergency call that has no outside line."""
        await self._set(
            unit, deed, Action.DEVICE_EMERGENCY_SET, device, "answers_emergency", answers
        )

    async def set_lamp(self, unit: Unit, deed: Deed, device: UUID, shows: bool) -> None:
        """Whether its lamp tells of messages; not where the public would see it."""
        await self._set(unit, deed, Action.DEVICE_LAMP_SET, device, "shows_lamp", shows)

    async def set_manner(self, unit: Unit, deed: Deed, device: UUID, manner: str) -> None:
        """How it describes its media, until it is heard to do so itself."""
        await self._set(unit, deed, Action.DEVICE_MANNER_SET, device, "manner", manner)

    async def _set(
        self, unit: Unit, deed: Deed, action: Action, device: UUID, column: str, value: str | bool
    ) -> None:
        """One column; its row in the ledger tells what it was and what it is."""
        row = await _row(unit.connection, device)
        before = type(value)(getattr(row, column))
        values = {column: value, "changed_at": deed.at}
        await change(unit.connection, phone_identity, device, row.version, values)
        unit.record(
            deed.entry(action, _subject(device), before={column: before}, after={column: value})
        )

    async def heard(self, connection: AsyncConnection, manners: Mapping[UUID, str]) -> None:
        """How these have described their media themselves; of phones that exist."""
        query = update(phone_identity).where(phone_identity.c.id == bindparam("device"))
        await connection.execute(
            query.values(manner=bindparam("heard")),
            [{"device": device, "heard": manner} for device, manner in manners.items()],
        )

    async def used_sha256(self, connection: AsyncConnection, devices: Collection[UUID]) -> None:
        """These have shown that they can do SHA-256: MD5 is closed to them for good."""
        await connection.execute(
            update(phone_identity)
            .where(phone_identity.c.id.in_(devices), phone_identity.c.has_used_sha256.in_([False]))
            .values(has_used_sha256=True)
        )

    async def shut(self, unit: Unit, deed: Deed, device: UUID) -> None:
        """Neither secret nor certificate opens the door any more; a new secret does."""
        row = await _row(unit.connection, device)
        values = {"ha1_sealed": None, "certificate": None, "changed_at": deed.at}
        await change(unit.connection, phone_identity, device, row.version, values)
        unit.record(deed.entry(Action.DEVICE_REKEYED, _subject(device), after={"algorithm": None}))

    async def remove(self, unit: Unit, deed: Deed, device_id: UUID) -> None:
        """The device is gone; its identity and presence with it."""
        await _row(unit.connection, device_id)
        for table in (phone_presence, phone_identity):
            await unit.connection.execute(delete(table).where(table.c.id == device_id))
        places = delete(phone_place).where(phone_place.c.device_id == device_id)
        await unit.connection.execute(places)
        await unit.connection.execute(
            update(device)
            .where(device.c.id == device_id)
            .values(
                removed_at=deed.at,
                label_index=secrets.token_bytes(32),  # another phone may have the label now
                version=device.c.version + 1,
            )
        )
        unit.record(deed.entry(Action.DEVICE_REMOVED, _subject(device_id)))

    async def identity(self, connection: AsyncConnection, device: UUID) -> PhoneIdentity:
        return self._opened(await _row(connection, device))

    async def identities(self, connection: AsyncConnection) -> list[PhoneIdentity]:
        """All, for the exchange's own directory: no disclosure to anybody."""
        found: list[PhoneIdentity] = []
        async for rows in slices(connection, select(phone_identity)):
            found += [self._opened(row) for row in rows]
        return found

    async def see(self, connection: AsyncConnection, seen: Sequence[Presence]) -> list[Presence]:
        """Keep where devices are, each at most once; those that are seen for the first time."""
        ids = [presence.device for presence in seen]
        known = set(await connection.scalars(_ids(phone_presence, ids)))
        enrolled = set(await connection.scalars(_ids(phone_identity, ids)))  # others were removed
        new = [p for p in seen if p.device in enrolled and p.device not in known]
        old = [p for p in seen if p.device in known]
        if old:
            table = phone_presence
            query = update(table).where(table.c.id == bindparam("device"))
            await connection.execute(
                query.values({column: bindparam(column) for column in _SEEN}),
                [{"device": p.device, **self._sealed(p)} for p in old],
            )
        if new:
            rows = [{"id": p.device, "first_seen_at": p.first_seen_at} for p in new]
            await connection.execute(
                insert(phone_presence),
                [{**row, **self._sealed(p)} for row, p in zip(rows, new, strict=True)],
            )
        return new

    async def presence(self, connection: AsyncConnection, device: UUID) -> Presence | None:
        query = select(phone_presence).where(phone_presence.c.id == device)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return Presence(
            device=row.id,
            first_seen_at=row.first_seen_at,
            seen_at=row.seen_at,
            registered_until=row.registered_until,
            source=self._open(row.source_sealed, "source", row.id),
            user_agent=self._open(row.user_agent_sealed, "user_agent", row.id),
        )

    def _opened(self, row: Row[Any]) -> PhoneIdentity:
        ha1 = b""
        if row.ha1_sealed is not None:
            ha1 = self._auth.open_bytes(row.ha1_sealed, Cell("phone_identity", "ha1", row.id))
        return PhoneIdentity(
            device=row.id,
            username=row.username,
            algorithm=row.algorithm,
            ha1=ha1,
            certificate=row.certificate or "",
            has_used_sha256=row.has_used_sha256,
            answers_emergency=row.answers_emergency,
            version=row.version,
            shows_lamp=row.shows_lamp,
            manner=row.manner or "",
        )

    def _sealed(self, seen: Presence) -> dict[str, Any]:
        return {
            "seen_at": seen.seen_at,
            "registered_until": seen.registered_until,
            "source_sealed": self._seal(seen.source, "source", seen.device),
            "user_agent_sealed": self._seal(seen.user_agent, "user_agent", seen.device),
        }

    def _seal(self, text: str, column: str, device: UUID) -> bytes:
        return self._auth.seal(text, Cell("phone_presence", column, device))

    def _open(self, sealed: bytes, column: str, device: UUID) -> str:
        return self._auth.open(sealed, Cell("phone_presence", column, device))


_SEEN = ("seen_at", "registered_until", "source_sealed", "user_agent_sealed")


def _ids(table: Table, ids: Sequence[UUID]) -> Select[tuple[UUID]]:
    return select(table.c.id).where(table.c.id.in_(ids))


async def _row(connection: AsyncConnection, device: UUID) -> Row[Any]:
    query = select(phone_identity).where(phone_identity.c.id == device)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFound("phone")
    return row


def _subject(device: UUID) -> Subject:
    return Subject("device", device)
