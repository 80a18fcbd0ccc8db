"""Pairs of phones for a test call: in the directory for two minutes, in no database, on no disk.

A test that dies leaves nothing behind, and no credential of a test outlives it.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from uuid import UUID

from pbx.admin.enrolling import Credentials, credentials
from pbx.b2bua.identity import Place
from pbx.directory import DeviceEntry, Entries, TenancyEntry
from pbx.directory_keeper import DirectoryKeeper
from pbx.sip.digest import ha1
from storage.conflicts import WrongState
from storage.identifiers import Clock, new_id
from storage.phones import new_username

LIFE_SECONDS = 120.0
MOST = 4
PREFIX = "*99"
"""No extension begins with a star, and no service with this: nobody has a test phone's number."""


@dataclass(frozen=True, slots=True)
class TrialLine:
    """Two phones; the second one is called by the number."""

    caller: Credentials
    callee: Credentials
    number: str
    until: int


class TrialLines:
    """Opens and closes them."""

    def __init__(self, keeper: DirectoryKeeper, realm: str, clock: Clock) -> None:
        self._keeper = keeper
        self._realm = realm
        self._clock = clock
        self._ends: dict[UUID, asyncio.TimerHandle] = {}

    def __contains__(self, test: UUID) -> bool:
        return test in self._ends

    def open(self) -> TrialLine:
        if len(self._ends) >= MOST:
            raise WrongState("test call", "is running already; wait two minutes")
        line = TrialLine(
            self._phone(),
            self._phone(),
            PREFIX + "".join(secrets.choice("0123456789") for _ in range(8)),
            self._clock() + int(LIFE_SECONDS * 1_000_000),
        )
        id = line.caller.device
        self._keeper.host(id, self._entries(line))
        self._ends[id] = asyncio.get_running_loop().call_later(LIFE_SECONDS, self.close, id)
        return line

    def close(self, test: UUID) -> None:
        timer = self._ends.pop(test, None)
        if timer is not None:
            timer.cancel()
            self._keeper.dismiss(test)

    def close_all(self) -> None:
        for test in list(self._ends):
            self.close(test)

    def _phone(self) -> Credentials:
        return credentials(new_id(self._clock), new_username())

    def _entries(self, line: TrialLine) -> Entries:
        callee = self._entry(line.callee)
        held = TenancyEntry(
            number=line.number,
            extension=new_id(self._clock),
            tenure=new_id(self._clock),
            person=new_id(self._clock),
            devices=(callee.id,),
        )
        return Entries(
            made_at=self._clock(), devices=(self._entry(line.caller), callee), tenancies=(held,)
        )

    def _entry(self, phone: Credentials) -> DeviceEntry:
        return DeviceEntry(
            id=phone.device,
            username=phone.username,
            place=Place.PRIVATE,
            algorithm=phone.algorithm.value,
            ha1=ha1(phone.algorithm, phone.username, self._realm, phone.secret),
        )
