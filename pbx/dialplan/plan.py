"""The dial plan: who is asking, what was dialled, what the directory says; nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from uuid import UUID

from pbx.dialplan.emergency import TEST_NUMBER, is_emergency
from pbx.dialplan.numbers import dialled

ECHO_TEST = "*43"
OWN_MESSAGES = "*97"
LEAVE_MESSAGE = "*98"
"""Before an extension: straight to its mailbox, without ringing."""


class Refusal(Enum):
    """Why a call goes nowhere: SIP status, and the prompt the caller hears before it."""

    NOT_A_NUMBER = (484, "no-such-number")
    UNKNOWN_NUMBER = (404, "no-such-number")
    NO_PHONE = (480, "offline")

    def __init__(self, status: int, prompt: str) -> None:
        self.status = status
        self.prompt = prompt


@dataclass(frozen=True, slots=True)
class RingPerson:
    """Ring all phones of the person who holds this extension now."""

    extension: UUID
    tenure: UUID
    person: UUID
    devices: tuple[UUID, ...]
    instance: str = ""
    """Only this one of a device's phones: its GRUU was dialled (RFC 5627)."""


@dataclass(frozen=True, slots=True)
class LeaveMessage:
    """Straight to the mailbox of an extension."""

    number: str
    is_wanted: bool
    """Dialled so; else there is no phone to ring."""


@dataclass(frozen=True, slots=True)
class OwnMessages:
    """Hear one's messages."""


@dataclass(frozen=True, slots=True)
class Echo:
    """The caller hears what the caller says."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """An emergency call: these on-site phones ring, and the caller hears the announcement."""

    devices: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class EmergencyTest:
    """Says what an emergency call from this phone would do."""

    devices: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    reason: Refusal


Route = RingPerson | LeaveMessage | OwnMessages | Echo | Emergency | EmergencyTest | Refused


class Tenancy(Protocol):
    """Who holds an extension now."""

    @property
    def extension(self) -> UUID: ...
    @property
    def tenure(self) -> UUID: ...
    @property
    def person(self) -> UUID: ...
    @property
    def devices(self) -> tuple[UUID, ...]: ...
    @property
    def mailbox(self) -> UUID | None: ...


class Numbers(Protocol):
    """What the plan reads of the directory."""

    @property
    def tenancies(self) -> Mapping[str, Tenancy]: ...
    @property
    def emergency_devices(self) -> tuple[UUID, ...]: ...


def route(caller: UUID, user: str, numbers: Numbers) -> Route:
    """The route of a call from device `caller` to the user part `user` of its Request-URI."""
    number = dialled(user)
    if number is None:
        return Refused(Refusal.NOT_A_NUMBER)
    on_site = tuple(device for device in numbers.emergency_devices if device != caller)
    if is_emergency(number):
        return Emergency(on_site)
    if number == TEST_NUMBER:
        return EmergencyTest(on_site)
    if number == ECHO_TEST:
        return Echo()
    if number == OWN_MESSAGES:
        return OwnMessages()
    extension = number.removeprefix(LEAVE_MESSAGE)
    tenancy = numbers.tenancies.get(extension)
    if tenancy is None:
        return Refused(Refusal.UNKNOWN_NUMBER)
    if extension != number:
        if tenancy.mailbox is None:
            return Refused(Refusal.UNKNOWN_NUMBER)
        return LeaveMessage(extension, is_wanted=True)
    devices = tuple(device for device in tenancy.devices if device != caller)
    if not devices and tenancy.mailbox is not None:
        return LeaveMessage(extension, is_wanted=False)
    if not devices:
        return Refused(Refusal.NO_PHONE)
    return RingPerson(tenancy.extension, tenancy.tenure, tenancy.person, devices)
