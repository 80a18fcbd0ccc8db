"""The dial plan: who is asking, what was dialled, what the directory says; nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from pbx.dialplan import codes
from pbx.dialplan.emergency import TEST_NUMBER, is_emergency
from pbx.dialplan.groups import ALWAYS, RingGroup, may_pick_up, ring_group
from pbx.dialplan.numbers import dialled
from pbx.dialplan.parties import Group, Numbers, Tenancy, is_undisturbed

ON_BUSY, WHEN_OFFLINE = "busy", "offline"
"""When a call is sent on before anything rings; beside `ALWAYS`."""

MOST_FORWARDS = 5
"""How often a call is sent on before it counts as going in circles (RFC 5393 §4)."""


class Refusal(Enum):
    """Why a call goes nowhere: SIP status, and the prompt the caller hears before it."""

    NOT_A_NUMBER = (484, "no-such-number")
    UNKNOWN_NUMBER = (404, "no-such-number")
    NOT_ALLOWED = (403, "not-allowed")
    """A shared phone with nobody signed in, where that may not call."""
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
    """The extensions and groups that sent the call on, the one that was dialled first."""
    most_calls: int | None = None
    """How many calls the person takes at once; None: as many as come."""


@dataclass(frozen=True, slots=True)
class LeaveMessage:
    """Straight to the mailbox of an extension or a group."""

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
class PickUp:
    """Answer here what rings at an extension or a group."""

    target: UUID
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A place where calls are parked. Put through to it: park there; dialled: take back, or with
    0 (any that is free) make ready to park."""

    number: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """Somebody signs in on a shared phone."""

    number: str
    """Their own; empty: it is asked for."""


@dataclass(frozen=True, slots=True)
class SignOut:
    """Whoever is signed in on a shared phone is so no more."""


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
    RingPerson
    | RingGroup
    | LeaveMessage
    | OwnMessages
    | SetReach
    | PickUp
    | Slot
    | SignIn
    | SignOut
    | Echo
    | Emergency
    | EmergencyTest
    | Refused
)
Ringable = RingPerson | RingGroup


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
    if number.startswith(codes.SIGN_IN):
        return SignIn(number.removeprefix(codes.SIGN_IN))
    if not numbers.may_call(caller) and number not in codes.OPEN_TO_ALL:
        return Refused(Refusal.NOT_ALLOWED)
    if number.startswith("*"):
        return _service(caller, number, numbers, now)
    party = _party(numbers, number)
    if party is None:
        return Refused(Refusal.UNKNOWN_NUMBER)
    return _followed(caller, party, numbers, now, ())


def onward(caller: UUID, route: Ringable, when: str, numbers: Numbers, now: int) -> Ringable | None:
    """Who rings next after `route` came to nothing; None: nobody, and the call is at its end."""
    if isinstance(route, RingGroup):
        at = route.group
        group = numbers.group_at(at)
        target = None if group is None else group.onward
    else:
        at = route.extension
        present = numbers.of_extension(at)
        target = None if present is None else present.reach.target(when, now)
    if target is None or not _is_known(numbers, target):
        return None
    found = _followed(caller, target, numbers, now, (*route.via, at))
    return found if isinstance(found, RingPerson | RingGroup) else None


def message_for(chain: tuple[UUID, ...], numbers: Numbers) -> str | None:
    """The number whose mailbox takes a message after nobody of `chain` did: of whoever it was
    meant for, not of whoever the call was sent on to; a group without a mailbox stands aside."""
    for at in chain:
        group = numbers.group_at(at)
        if group is None:
            return _with_mailbox(numbers, at)
        if group.mailbox is not None:
            return group.number
    return None


def _service(caller: UUID, number: str, numbers: Numbers, now: int) -> Route:
    """What a code asks for."""
    simple: dict[str, Route] = {
        codes.ECHO_TEST: Echo(),
        codes.OWN_MESSAGES: OwnMessages(),
        codes.SIGN_OUT: SignOut(),
        codes.DISTURB_NOT: SetReach(is_forward=False, is_on=True),
        codes.DISTURB_AGAIN: SetReach(is_forward=False, is_on=False),
        codes.SEND_ON_NO_MORE: SetReach(is_forward=True, is_on=False),
    }
    if number in simple:
        return simple[number]
    slot = codes.slot_of(number)
    if slot is not None:
        return Slot(slot)
    for code in (codes.SEND_ON, codes.LEAVE_MESSAGE, codes.PICK_UP):
        party = _party(numbers, number.removeprefix(code)) if number.startswith(code) else None
        if party is None:
            continue
        if code == codes.SEND_ON:
            return SetReach(is_forward=True, is_on=True, target=party)
        if code == codes.PICK_UP:
            return PickUp(party, may_pick_up(caller, party, numbers, now))
        keeper = message_for((party,), numbers)
        if keeper is not None:
            return LeaveMessage(keeper, is_wanted=True)
    own = _party(numbers, number)
    if own is not None:  # the phones of a test call: nobody else's number begins with a star
        return _followed(caller, own, numbers, now, ())
    return Refused(Refusal.UNKNOWN_NUMBER)


def _followed(
    caller: UUID, first: UUID, numbers: Numbers, now: int, via: tuple[UUID, ...]
) -> Route:
    """Along forwards to somebody who rings; nobody twice, and not for ever."""
    at: UUID | None = first
    why = Refusal.NO_PHONE
    while at is not None:
        if at in via or len(via) > MOST_FORWARDS:
            why = Refusal.BUSY
            break
        group, tenancy = numbers.group_at(at), numbers.of_extension(at)
        target: UUID | None = None
        if group is not None:
            found = ring_group(caller, group, numbers, now, via)
            if found is not None:
                return found
            why, target = Refusal.NO_PHONE, group.onward
        elif tenancy is not None:
            person = _ring_person(caller, tenancy, numbers, now, via)
            if isinstance(person, RingPerson):
                return person
            why, target = person
        via = (*via, at)
        at = target if target is not None and _is_known(numbers, target) else None
    keeper = message_for(via, numbers)
    return Refused(why) if keeper is None else LeaveMessage(keeper, is_wanted=False, why=why)


def _ring_person(
    caller: UUID, tenancy: Tenancy, numbers: Numbers, now: int, via: tuple[UUID, ...]
) -> RingPerson | tuple[Refusal, UUID | None]:
    """Whoever holds the extension rings; or why not, and where the call goes instead."""
    target = tenancy.reach.target(ALWAYS, now)
    if target is not None:
        return Refusal.NO_PHONE, target
    devices = tuple(device for device in tenancy.devices if device != caller)
    if is_undisturbed(tenancy, numbers, now):
        return Refusal.BUSY, tenancy.reach.target(ON_BUSY, now)
    if not devices:
        return Refusal.NO_PHONE, tenancy.reach.target(WHEN_OFFLINE, now)
    return RingPerson(
        tenancy.extension,
        tenancy.tenure,
        tenancy.person,
        devices,
        via=via,
        most_calls=tenancy.reach.limit(now),
    )


def _party(numbers: Numbers, number: str) -> UUID | None:
    """The extension or group with this number."""
    tenancy: Tenancy | None = numbers.tenancies.get(number)
    if tenancy is not None:
        return tenancy.extension
    group: Group | None = numbers.groups.get(number)
    return None if group is None else group.id


def _is_known(numbers: Numbers, at: UUID) -> bool:
    return numbers.of_extension(at) is not None or numbers.group_at(at) is not None


def _with_mailbox(numbers: Numbers, extension: UUID) -> str | None:
    for number, tenancy in numbers.tenancies.items():
        if tenancy.extension == extension and tenancy.mailbox is not None:
            return number
    return None
