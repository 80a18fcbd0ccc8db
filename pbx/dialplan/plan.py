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
DISTURB_NOT, DISTURB_AGAIN = "*78", "*79"
SEND_ON, SEND_ON_NO_MORE = "*72", "*73"
"""The first one stands before the extension that calls go to."""
LEAVE_MESSAGE = "*98"
"""Before an extension: straight to its mailbox, without ringing."""

ALWAYS, ON_BUSY, WHEN_OFFLINE = "always", "busy", "offline"
"""When a call is sent on before anything rings."""

MOST_FORWARDS = 5
"""How often a call is sent on before it counts as going in circles (RFC 5393 §4)."""


class Refusal(Enum):
    """Why a call goes nowhere: SIP status, and the prompt the caller hears before it."""

    NOT_A_NUMBER = (484, "no-such-number")
    UNKNOWN_NUMBER = (404, "no-such-number")
    NO_PHONE = (480, "offline")
    BUSY = (486, "busy")
    """Not to be disturbed, or forwards that lead in a circle."""

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
    via: tuple[UUID, ...] = ()
    """The extensions that sent the call on, the one that was dialled first."""


@dataclass(frozen=True, slots=True)
class LeaveMessage:
    """Straight to the mailbox of an extension."""

    number: str
    is_wanted: bool
    """Dialled so; else nobody is to be reached."""
    why: Refusal = Refusal.NO_PHONE
    """Why nobody is, where it was not dialled so."""


@dataclass(frozen=True, slots=True)
class OwnMessages:
    """Hear one's messages."""


@dataclass(frozen=True, slots=True)
class SetReach:
    """Whoever holds the caller's phone sets do-not-disturb, or where all calls go."""

    is_forward: bool
    is_on: bool
    target: UUID | None = None


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


Route = (
    RingPerson | LeaveMessage | OwnMessages | SetReach | Echo | Emergency | EmergencyTest | Refused
)


class Reach(Protocol):
    """What somebody has set: whether to be rung, and where calls go else."""

    def is_undisturbed(self, now: int) -> bool: ...
    def target(self, when: str, now: int) -> UUID | None: ...


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
    @property
    def reach(self) -> Reach: ...


class Numbers(Protocol):
    """What the plan reads of the directory."""

    @property
    def tenancies(self) -> Mapping[str, Tenancy]: ...
    @property
    def emergency_devices(self) -> tuple[UUID, ...]: ...


def route(caller: UUID, user: str, numbers: Numbers, now: int = 0) -> Route:
    """The route of a call from device `caller` to the user part `user` of its Request-URI.

    `now` in microseconds; with 0 no setting has ended."""
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
    if number in (DISTURB_NOT, DISTURB_AGAIN):
        return SetReach(is_forward=False, is_on=number == DISTURB_NOT)
    if number == SEND_ON_NO_MORE:
        return SetReach(is_forward=True, is_on=False)
    if number.startswith(SEND_ON):
        to = numbers.tenancies.get(number.removeprefix(SEND_ON))
        if to is None:
            return Refused(Refusal.UNKNOWN_NUMBER)
        return SetReach(is_forward=True, is_on=True, target=to.extension)
    extension = number.removeprefix(LEAVE_MESSAGE)
    tenancy = numbers.tenancies.get(extension)
    if tenancy is None:
        return Refused(Refusal.UNKNOWN_NUMBER)
    if extension != number:
        if tenancy.mailbox is None:
            return Refused(Refusal.UNKNOWN_NUMBER)
        return LeaveMessage(extension, is_wanted=True)
    return _followed(caller, tenancy, numbers, now, ())


def onward(
    caller: UUID, route: RingPerson, when: str, numbers: Numbers, now: int
) -> RingPerson | None:
    """Who rings next after `route` came to nothing; None: nobody, and the call is at its end."""
    present = _holder(numbers, route.extension)
    target = None if present is None else present.reach.target(when, now)
    tenancy = None if target is None else _holder(numbers, target)
    if tenancy is None:
        return None
    found = _followed(caller, tenancy, numbers, now, (*route.via, route.extension))
    return found if isinstance(found, RingPerson) else None


def is_undisturbed(tenancy: Tenancy, numbers: Numbers, now: int) -> bool:
    """Whoever has a phone that rings for emergencies is always to be reached on it."""
    has_duty = not set(tenancy.devices).isdisjoint(numbers.emergency_devices)
    return tenancy.reach.is_undisturbed(now) and not has_duty


def _followed(
    caller: UUID, first: Tenancy, numbers: Numbers, now: int, via: tuple[UUID, ...]
) -> Route:
    """Along forwards to somebody who rings; nobody twice, and not for ever."""
    tenancy: Tenancy | None = first
    why = Refusal.BUSY
    while tenancy is not None:
        if tenancy.extension in via or len(via) > MOST_FORWARDS:
            why = Refusal.BUSY
            break
        target = tenancy.reach.target(ALWAYS, now)
        if target is None:
            devices = tuple(device for device in tenancy.devices if device != caller)
            undisturbed = is_undisturbed(tenancy, numbers, now)
            if devices and not undisturbed:
                person = tenancy.person
                return RingPerson(tenancy.extension, tenancy.tenure, person, devices, via=via)
            why = Refusal.BUSY if undisturbed else Refusal.NO_PHONE
            target = tenancy.reach.target(ON_BUSY if undisturbed else WHEN_OFFLINE, now)
        else:
            why = Refusal.NO_PHONE
        via = (*via, tenancy.extension)
        tenancy = None if target is None else _holder(numbers, target)
    return _at_an_end(via[0], numbers, why)


def _at_an_end(dialled_first: UUID, numbers: Numbers, why: Refusal) -> LeaveMessage | Refused:
    """A message stays with whom it was meant for, not with whoever the call was sent on to."""
    for number, tenancy in numbers.tenancies.items():
        if tenancy.extension == dialled_first and tenancy.mailbox is not None:
            return LeaveMessage(number, is_wanted=False, why=why)
    return Refused(why)


def _holder(numbers: Numbers, extension: UUID) -> Tenancy | None:
    held = numbers.tenancies.values()
    return next((tenancy for tenancy in held if tenancy.extension == extension), None)
