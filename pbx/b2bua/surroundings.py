"""What all calls have in common, and the board where their legs say what they take."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from media.client import MediaClient
from pbx.b2bua.config import CallsConfig
from pbx.b2bua.goodbyes import Goodbyes
from pbx.b2bua.listeners import Listeners
from pbx.b2bua.lot import Lot
from pbx.b2bua.manners import Manners
from pbx.b2bua.ports import Phones, UserAgent
from pbx.b2bua.snapshot import SnapshotKey
from pbx.directory import Directory
from storage.identifiers import Clock
from storage.ledger.actions import Action
from storage.reach import Change

if TYPE_CHECKING:
    from pbx.b2bua.call import Call
    from pbx.sign_ins import SignIns
    from pbx.voicemail.office import Voicemail


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all calls have in common; made once by `service`."""

    agent: UserAgent
    phones: Phones
    media: MediaClient
    directory: Callable[[], Directory]
    snapshots: SnapshotKey
    clock: Clock
    config: CallsConfig
    domain: str
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """Names this life of the exchange in what its calls leave behind."""
    aliases: frozenset[str] = frozenset()
    """Other names and addresses of ours, as they stand in URIs but without brackets."""
    strangers: Callable[[UUID, UUID | None], None] = lambda device, person: None
    """Hears of a device (and whose it is) that named a dialog of somebody else's."""
    legs_per_worker: int = 0
    """How many legs a media worker has ports for; 0: as many as it says."""
    manners: Manners = field(default_factory=Manners)
    """How each device describes its media."""
    lot: Lot = field(default_factory=Lot)
    """Where calls are parked."""
    rounds: dict[UUID, int] = field(default_factory=dict)
    """Of each group that rings by round: the position of whom it rang first, last time."""
    refused: Callable[[UUID, UUID | None, Action], None] = lambda device, person, action: None
    """Hears of a device that wanted a call which it has no right to."""
    voicemail: Voicemail | None = None
    """Where messages are left; None: nowhere."""
    set_reach: Callable[[UUID, UUID, Change], Awaitable[None]] | None = None
    """What the holder of a device dialled; None: nobody can."""
    sign_ins: SignIns | None = None
    """Who is signed in on shared phones; None: nobody can."""


class Board(Protocol):
    """Where calls say what they wait for, and which devices and people they take."""

    goodbyes: Goodbyes
    listeners: Listeners

    def count(self, device: UUID) -> None: ...
    def uncount(self, device: UUID) -> None: ...
    def has_room(self, device: UUID) -> bool: ...
    def is_at(self, person: UUID, most: int, beside: Call) -> bool: ...
    def settled(self) -> None: ...


Serve = Callable[["Call"], Awaitable[None]]
