"""The directory as the exchange works with it: devices, who holds which extension, who answers 911.

A frozen value made from the database after every change and kept, sealed, outside of it, so that
phones register and call with the database gone, also after a cold start. It holds the devices'
HA1s and the staff's names: it never leaves the exchange's process in clear.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import msgspec

from pbx import copies
from pbx.b2bua.identity import Caller, Place
from storage.groups import Member, Settings
from storage.reach import UNSET, Reach
from storage.sealed import primitives

_CONTEXT = b"hipaa-pbx directory v1"
NOBODY: Mapping[UUID, UUID] = MappingProxyType({})
"""Nobody is signed in on a shared phone."""


class DeviceEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A phone that may register."""

    id: UUID
    username: str
    """Its SIP identity; no person's, and no extension."""
    place: Place
    extension: UUID | None = None
    algorithm: str = "SHA-256"
    """Of the one HA1 it has."""
    ha1: bytes = b""
    """H(username:realm:secret) of that algorithm. Empty: it has a certificate and no secret."""
    md5_until: int = 0
    """Microseconds; until when an exception lets it use MD5. 0: never."""
    certificate: str = ""
    """The identity in its client certificate; empty: none."""
    answers_emergency: bool = False
    manner: str = ""
    """How it describes its media (`pbx.b2bua.manners`)."""
    shows_lamp: bool = True
    """Whether its message lamp may light; not where the public would see it."""
    is_shared: bool = False
    """It has no owner: people sign in on it. Its extension, if any, is the place's."""
    may_call: bool = False
    """Whether a shared one calls inside with nobody signed in."""
    idle_minutes: int = 10
    """After so long a shared one signs out by itself."""


class TenancyEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An extension and the person who holds it now."""

    number: str
    extension: UUID
    tenure: UUID
    person: UUID
    name: str = ""
    devices: tuple[UUID, ...] = ()
    mailbox: UUID | None = None
    """Of this tenure; an older copy does not say."""
    reach: Reach = UNSET


class GroupEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A number at which a group rings."""

    id: UUID
    """Of the extension whose number it is."""
    number: str
    settings: Settings

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def strategy(self) -> str:
        return self.settings.strategy

    @property
    def members(self) -> tuple[Member, ...]:
        return self.settings.members

    @property
    def ring_seconds(self) -> int:
        return self.settings.ring_seconds

    @property
    def mailbox(self) -> UUID | None:
        return self.settings.mailbox

    @property
    def onward(self) -> UUID | None:
        return self.settings.onward

    @property
    def tenure(self) -> UUID | None:
        """A group is nobody's time on a number."""
        return None

    def is_over(self, now: int) -> bool:
        return self.settings.until is not None and self.settings.until <= now


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept on disk."""

    made_at: int
    devices: tuple[DeviceEntry, ...] = ()
    tenancies: tuple[TenancyEntry, ...] = ()
    groups: tuple[GroupEntry, ...] = ()


class Directory:
    """Look-ups over `Entries`; one value, replaced as a whole."""

    def __init__(self, entries: Entries, signed_in: Mapping[UUID, UUID] = NOBODY) -> None:
        """`signed_in`: the tenure that is signed in on each shared phone."""
        self.entries = entries
        self.devices: Mapping[UUID, DeviceEntry] = {entry.id: entry for entry in entries.devices}
        self._by_username = {entry.username.lower(): entry for entry in entries.devices}
        self._by_certificate = {
            entry.certificate: entry for entry in entries.devices if entry.certificate
        }
        self.signed_in = {
            device: tenure
            for device, tenure in signed_in.items()
            if device in self.devices and self.devices[device].is_shared
        }
        tenancies = _with_signed_in(entries.tenancies, self.signed_in)
        self.tenancies: Mapping[str, TenancyEntry] = {entry.number: entry for entry in tenancies}
        self._by_extension = {entry.extension: entry for entry in tenancies}
        self._by_tenure = {entry.tenure: entry for entry in tenancies}
        self.groups: Mapping[str, GroupEntry] = {entry.number: entry for entry in entries.groups}
        self._groups = {entry.id: entry for entry in entries.groups}

    @cached_property
    def emergency_devices(self) -> tuple[UUID, ...]:
        """The phones that ring for an emergency call without an outside line."""
        return tuple(entry.id for entry in self.entries.devices if entry.answers_emergency)

    @cached_property
    def devices_of_mailbox(self) -> Mapping[UUID, tuple[UUID, ...]]:
        """The phones whose lamp shows a mailbox."""
        return {
            entry.mailbox: tuple(one for one in entry.devices if self.holder_of(one) is entry)
            for entry in self.tenancies.values()
            if entry.mailbox is not None
        }

    @cached_property
    def devices_of_person(self) -> Mapping[UUID, tuple[UUID, ...]]:
        """The phones at which somebody is rung."""
        found: dict[UUID, tuple[UUID, ...]] = {}
        for entry in self.entries.tenancies:
            found[entry.person] = found.get(entry.person, ()) + entry.devices
        return found

    def of_extension(self, extension: UUID) -> TenancyEntry | None:
        """Who holds it now."""
        return self._by_extension.get(extension)

    def group_at(self, extension: UUID) -> GroupEntry | None:
        """The group whose number it is."""
        return self._groups.get(extension)

    def taking_messages(self, number: str) -> TenancyEntry | GroupEntry | None:
        """Whose mailbox is at this number."""
        return self.tenancies.get(number) or self.groups.get(number)

    def by_username(self, username: str) -> DeviceEntry | None:
        return self._by_username.get(username.lower())

    def by_certificate(self, identity: str) -> DeviceEntry | None:
        return self._by_certificate.get(identity)

    def holder_of(self, device: UUID) -> TenancyEntry | None:
        """Whose phone it is now: of the extension it rings for, or signed in on a shared one."""
        entry = self.devices.get(device)
        if entry is not None and entry.is_shared:
            tenure = self.signed_in.get(device)
            return None if tenure is None else self._by_tenure.get(tenure)
        if entry is None or entry.extension is None:
            return None
        return self._by_extension.get(entry.extension)

    def may_call(self, device: UUID) -> bool:
        """Whether it calls inside now: a shared one only signed in, or where its place allows."""
        entry = self.devices.get(device)
        if entry is None or not entry.is_shared or entry.may_call:
            return True
        return self.holder_of(device) is not None

    def caller(self, device: UUID, *, wants_privacy: bool = False) -> Caller:
        """Who calls when this device calls."""
        holder = self.holder_of(device)
        if holder is None:
            return Caller("", wants_privacy=wants_privacy)
        return Caller(holder.number, holder.name, wants_privacy=wants_privacy)

    def place_of(self, device: UUID) -> Place:
        """Where a device stands; an unknown one is treated as public."""
        entry = self.devices.get(device)
        return entry.place if entry is not None else Place.LOBBY


def _with_signed_in(
    tenancies: tuple[TenancyEntry, ...], signed_in: Mapping[UUID, UUID]
) -> tuple[TenancyEntry, ...]:
    """Calls to somebody ring where they are signed in, too."""
    if not signed_in:
        return tenancies
    at: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for device, tenure in signed_in.items():
        at[tenure].append(device)
    return tuple(
        msgspec.structs.replace(one, devices=tuple(dict.fromkeys((*one.devices, *at[one.tenure]))))
        if one.tenure in at
        else one
        for one in tenancies
    )


EMPTY = Directory(Entries(made_at=0))


class DirectoryFile:
    """The sealed copy on disk, replaced atomically."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = primitives.hkdf(key, "directory snapshot")

    def write(self, entries: Entries) -> None:
        """Raises OSError where it cannot be written; the old copy is whole then."""
        sealed = primitives.seal(self._key, msgspec.msgpack.encode(entries), _CONTEXT)
        copies.replace(self._path, sealed)

    def read(self) -> Entries | None:
        """None where there is no copy; raises `OpenError` for one that was altered."""
        try:
            sealed = self._path.read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.msgpack.decode(
            primitives.open_sealed(self._key, sealed, _CONTEXT), type=Entries
        )
