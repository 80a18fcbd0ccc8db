"""The lamps of phones: message-summary (RFC 3842) over SUBSCRIBE and NOTIFY (RFC 6665).

A phone that subscribes is told in its dialog, one that does not by a NOTIFY of its own: at every
change, and when it registers. Only counts travel. A lamp may be switched off where the public
would see it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import structlog

from pbx.b2bua.caller_leg import own_uri
from pbx.b2bua.ports import Contact, Phones, UserAgent
from pbx.directory import Directory
from pbx.sip import events as sip
from pbx.sip.dialog import Dialog, DialogId, new_tag, uas_id
from pbx.sip.errors import PeerError
from pbx.sip.event import Event, SubscriptionState
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowId
from pbx.sip.headers import Headers
from pbx.sip.message import Request, Response, response_to
from pbx.voicemail.summary import CONTENT_TYPE, NOTHING, PACKAGE, summary
from storage.errors import StorageError
from storage.messages import Counts

log = structlog.get_logger()

LONGEST, SHORTEST = 3_600, 60
"""Seconds a subscription lasts at most, and is refused under (RFC 6665 §4.2.1.1)."""

ALARM = Counts(new=1, urgent_new=1)
"""What a lamp says of no message: call, and hear that messages cannot be heard."""

APART = 0.25
"""Seconds between two looks for phones that come back: after a restart all of them do."""

PER_DEVICE = 4
"""Subscriptions of one device; the oldest gives way."""

MOST_ENDING = 16
"""With those that it has not said goodbye to yet; a phone that never answers begins no more."""


class Agent(UserAgent, Protocol):
    """A user agent that also forgets dialogs."""

    def drop(self, dialog: Dialog) -> None: ...


@dataclass(slots=True, eq=False)
class Subscription:
    """One phone's wish to be told."""

    device: UUID
    dialog: Dialog
    flow: FlowId
    event: Event
    ends_at: float
    timer: asyncio.TimerHandle | None = None
    asked: TransactionId | None = None
    """The NOTIFY that is not answered yet: one at a time."""
    said: bytes = b""
    is_stale: bool = False
    """Something changed while a NOTIFY was under way, or the phone was away."""
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What lamps stand on."""

    agent: Agent
    phones: Phones
    directory: Callable[[], Directory]
    counts: Callable[[Collection[UUID]], Awaitable[dict[UUID, Counts]]]
    domain: str
    shared: Callable[[UUID], Collection[UUID]] = lambda person: ()
    """The shared mailboxes that a person reads."""
    readers: Callable[[UUID], Collection[UUID]] = lambda mailbox: ()
    """Who reads a shared mailbox."""


@dataclass(slots=True)
class Lamps:
    """All subscriptions, and what each mailbox has to say."""

    ground: Ground
    _known: dict[UUID, Counts] = field(default_factory=dict)
    _asked: list[tuple[UUID, UUID | None]] = field(default_factory=list)
    """Mailboxes to look at, and the one device to tell."""
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _looked_at: float = 0.0
    _by_dialog: dict[DialogId, Subscription] = field(default_factory=dict)
    _by_device: dict[UUID, list[Subscription]] = field(default_factory=dict)
    """The same, oldest first: a clinic that comes back asks for each phone's."""
    _by_transaction: dict[TransactionId, Subscription | UUID] = field(default_factory=dict)
    _deaf: set[UUID] = field(default_factory=set)
    """Devices that refused a NOTIFY they had not asked for."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _dark: frozenset[UUID] = frozenset()
    """Phones whose lamps are switched off."""
    _alarmed: frozenset[UUID] = frozenset()
    """People whose lamps burn because nobody can hear messages."""

    def __len__(self) -> int:
        return len(self._by_dialog)

    # -- what happens

    def changed(self, mailbox: UUID) -> None:
        """Messages came, were heard or went: tell the phones of whoever has the mailbox."""
        self._look(mailbox)

    def registered(self, device: UUID) -> None:
        """The phone is there again, perhaps after it missed something."""
        self._deaf.discard(device)
        for mailbox in self._mailboxes_of(device):
            self._look(mailbox, device)

    def holder_changed(self, device: UUID) -> None:
        """Somebody signed in on it, or out: whoever comes next sees nothing of theirs."""
        mailboxes = self._mailboxes_of(device)
        for mailbox in mailboxes:
            self._look(mailbox, device)
        if not mailboxes:
            self._tell_device(device, is_back=False)

    def directory_changed(self) -> None:
        """Somebody else may have the extension now, or a lamp was switched."""
        for held in tuple(self._by_dialog.values()):
            self._tell_or_look(held)
        devices = self.ground.directory().devices.values()
        dark = frozenset(one.id for one in devices if not one.shows_lamp)
        switched, self._dark = dark ^ self._dark, dark
        for device in switched - self._by_device.keys():
            if not self._looks_first(device, None):
                self._tell_device(device, is_back=False)

    def _tell_or_look(self, held: Subscription) -> None:
        if not self._looks_first(held.device, held.device):
            self._tell(held)

    def _looks_first(self, device: UUID, told: UUID | None) -> bool:
        """Whether its mailboxes have to be looked at before anything is said: then they are, for
        the one device that is told, or all of theirs."""
        unknown = [one for one in self._mailboxes_of(device) if one not in self._known]
        for mailbox in unknown:
            self._look(mailbox, told)
        return bool(unknown)

    def alarm(self, people: frozenset[UUID]) -> None:
        """These are to look after voicemail: their lamps burn until nobody is named any more."""
        concerned, self._alarmed = people | self._alarmed, people
        for person in concerned:
            for device in self.ground.directory().devices_of_person.get(person, ()):
                self._tell_device(device, is_back=False)

    def device_of(self, dialog: Dialog) -> UUID | None:
        """Whose subscription it is; None: it is no subscription's dialog."""
        held = self._by_dialog.get(dialog.id)
        return None if held is None else held.device

    def subscribe(self, event: sip.RequestReceived, device: UUID) -> None:
        """A SUBSCRIBE of an authenticated device, outside a dialog or to refresh."""
        request = event.request
        refusal = refusal_of(request)
        held = self._by_dialog.get(event.dialog.id) if event.dialog is not None else None
        if refusal is None and event.dialog is not None and (held is None or held.is_over):
            refusal = response_to(request, 481)
        elif refusal is None and held is None and self._has_enough(device):
            refusal = response_to(request, 503)
            refusal.headers.add("Retry-After", "32")
        if refusal is not None:
            self.ground.agent.respond(event.transaction, refusal)
            return
        seconds = min(request.expires if request.expires is not None else LONGEST, LONGEST)
        accepted = response_to(request, 200)
        accepted.headers.add("Expires", str(seconds))
        accepted.headers.add(
            "Contact", f"<{own_uri(self.ground.agent.facts(event.flow), request)}>"
        )
        if not self.ground.agent.respond(event.transaction, accepted):
            return
        if held is None:
            dialog = self.ground.agent.dialog(uas_id(accepted))
            if dialog is None:
                return
            held = self._begin(device, dialog, event)
        held.flow = event.flow
        self._last(held, seconds)

    def receive(self, event: sip.Event) -> bool:
        """What became of a NOTIFY; False: it is none of ours."""
        transaction = getattr(event, "transaction", None)
        told = self._by_transaction.get(transaction) if transaction is not None else None
        if told is None or transaction is None:
            return False
        match event:
            case sip.ResponseReceived(response=response) if response.status < 200:
                return True
            case sip.ResponseReceived(response=response):
                status = response.status
            case sip.FlowLost():
                status = 0
            case _:
                status = 408
        del self._by_transaction[transaction]
        if isinstance(told, Subscription):
            self._notified(told, status)
        elif status in (405, 481, 489, 501):
            self._deaf.add(told)
        return True

    def expire(self, now: float) -> None:
        """Subscriptions that nobody refreshed end."""
        for held in [one for one in self._by_dialog.values() if one.ends_at <= now]:
            self._end(held, "timeout")

    async def idle(self) -> None:
        """Returns when everything that is known now has been said."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """No timer and no task of ours is left behind."""
        for held in tuple(self._by_dialog.values()):
            self._forget(held)
        for task in self._tasks:
            task.cancel()

    # -- subscriptions

    def _has_enough(self, device: UUID) -> bool:
        return len(self._by_device.get(device, ())) >= MOST_ENDING

    def _begin(self, device: UUID, dialog: Dialog, event: sip.RequestReceived) -> Subscription:
        theirs = self._by_device.get(device, [])
        for oldest in theirs[: max(0, len(theirs) - PER_DEVICE + 1)]:
            self._end(oldest, "rejected")
        package = Event.parse(event.request.headers.first("Event") or PACKAGE)
        held = Subscription(device, dialog, event.flow, package, 0.0)
        self._by_dialog[dialog.id] = held
        self._by_device.setdefault(device, []).append(held)
        return held

    def _last(self, held: Subscription, seconds: int) -> None:
        loop = asyncio.get_running_loop()
        held.ends_at = loop.time() + seconds
        if held.timer is not None:
            held.timer.cancel()
        if seconds == 0:
            self._end(held, "timeout")
            return
        held.timer = loop.call_at(held.ends_at, self._end, held, "timeout")
        held.said = b""  # RFC 6665 §4.2.1.2: a NOTIFY follows every SUBSCRIBE that was taken
        self._tell_or_look(held)

    def _end(self, held: Subscription, reason: str) -> None:
        """A last NOTIFY says why; its answer, whatever it is, ends the dialog."""
        if held.is_over:
            return
        held.is_over = True
        if held.timer is not None:
            held.timer.cancel()
        self._notify(held, SubscriptionState("terminated", {"reason": reason}))

    def _forget(self, held: Subscription) -> None:
        held.is_over = True
        if held.timer is not None:
            held.timer.cancel()
        if self._by_dialog.pop(held.dialog.id, None) is not None:
            theirs = self._by_device[held.device]
            theirs.remove(held)
            if not theirs:
                del self._by_device[held.device]
            self.ground.agent.drop(held.dialog)

    def _tell(self, held: Subscription) -> None:
        """Unless it knows already, or an earlier NOTIFY is still under way."""
        if held.is_over:
            return
        if held.asked is not None:
            held.is_stale = True
        elif self._body(held.device) != held.said:
            left = max(1, round(held.ends_at - asyncio.get_running_loop().time()))
            self._notify(held, SubscriptionState("active", {"expires": str(left)}))

    def _notify(self, held: Subscription, state: SubscriptionState) -> None:
        body = self._body(held.device)
        request = held.dialog.request("NOTIFY", body, CONTENT_TYPE)
        request.headers.add("Event", str(held.event))
        request.headers.add("Subscription-State", str(state))
        held.flow = self.ground.phones.flow_of(held.device, held.flow)
        held.said, held.is_stale = body, False
        held.asked = self.ground.agent.request(held.flow, request)
        self._by_transaction[held.asked] = held

    def _notified(self, held: Subscription, status: int) -> None:
        held.asked = None
        if held.is_over or status in (404, 405, 408, 410, 481, 489):
            self._forget(held)
        elif status == 0:
            held.said = b""  # the phone was away: it is told when it comes back
        elif held.is_stale:
            self._tell(held)

    # -- telling

    def _look(self, mailbox: UUID, only: UUID | None = None) -> None:
        """Many mailboxes at one look: after a restart every phone is back within a minute."""
        self._asked.append((mailbox, only))
        if len(self._asked) == 1:
            self._start(self._refresh())

    async def _refresh(self) -> None:
        async with self._looking:
            loop = asyncio.get_running_loop()
            if all(only is not None for _, only in self._asked):
                await asyncio.sleep(self._looked_at + APART - loop.time())
            asked, self._asked = self._asked, []
            self._looked_at = loop.time()
            with suppress(StorageError):  # then what was known before is said, or nothing
                self._known |= await self.ground.counts({mailbox for mailbox, _ in asked})
        concerned: dict[UUID, bool] = {}
        for mailbox, only in asked:
            for device in self._devices_of(mailbox) if mailbox in self._known else ():
                if only in (None, device):
                    concerned[device] = only is not None and concerned.get(device, True)
        for device, is_back in concerned.items():
            self._tell_device(device, is_back=is_back)

    def _tell_device(self, device: UUID, *, is_back: bool) -> None:
        held = tuple(self._by_device.get(device, ()))
        for one in held:
            self._tell(one)
        if not held and device not in self._deaf:
            self._tell_unasked(device, is_back=is_back)

    def _tell_unasked(self, device: UUID, *, is_back: bool) -> None:
        """RFC 3842 phones that are set to take it show this without a subscription."""
        body = self._body(device)
        if is_back and body == summary(NOTHING, self.ground.domain) and not self._burned(device):
            return  # a phone that starts shows nothing anyway
        for contact in self.ground.phones.contacts_of(device):
            transaction = self.ground.agent.request(contact.flow, self._unasked(contact, body))
            self._by_transaction[transaction] = device

    def _unasked(self, contact: Contact, body: bytes) -> Request:
        domain = self.ground.domain
        facts = self.ground.agent.facts(contact.flow)
        return Request(
            "NOTIFY",
            contact.uri,
            Headers(
                *[("Route", route) for route in contact.path],
                ("Max-Forwards", "70"),
                ("From", f"<sip:*97@{domain}>;tag={new_tag()}"),
                ("To", f"<{contact.uri}>"),
                ("Call-ID", secrets.token_hex(16)),
                ("CSeq", f"{1 + secrets.randbelow(2**16)} NOTIFY"),
                ("Contact", f"<{own_uri(facts)}>"),
                ("Event", PACKAGE),
                ("Subscription-State", "terminated"),
                ("Content-Type", CONTENT_TYPE),
            ),
            body,
        )

    def _body(self, device: UUID) -> bytes:
        directory = self.ground.directory()
        entry, holder = directory.devices.get(device), directory.holder_of(device)
        counts = NOTHING
        if entry is not None and entry.shows_lamp:
            for mailbox in self._mailboxes_of(device):
                counts += self._known.get(mailbox, NOTHING)
            if holder is not None and holder.person in self._alarmed:
                counts += ALARM
        return summary(counts, self.ground.domain)

    def _burned(self, device: UUID) -> bool:
        """Whether there was something to show of late, which it may have missed the end of."""
        return any(
            self._known[box].hidden for box in self._mailboxes_of(device) if box in self._known
        )

    def mailbox_of(self, device: UUID) -> UUID | None:
        """Whose messages its lamp tells of, before all."""
        holder = self.ground.directory().holder_of(device)
        return None if holder is None else holder.mailbox

    def _mailboxes_of(self, device: UUID) -> list[UUID]:
        """Their own, and the shared ones that they read."""
        own, holder = self.mailbox_of(device), self.ground.directory().holder_of(device)
        shared = self.ground.shared(holder.person) if holder is not None else ()
        return [*([own] if own is not None else []), *shared]

    def _devices_of(self, mailbox: UUID) -> list[UUID]:
        directory = self.ground.directory()
        found = list(directory.devices_of_mailbox.get(mailbox, ()))
        for person in self.ground.readers(mailbox):
            found += directory.devices_of_person.get(person, ())
        return found

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)  # noqa: S101 - a coroutine of ours
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("a lamp was not told", exc_info=failure)


def refusal_of(request: Request) -> Response | None:
    """What keeps a SUBSCRIBE from being taken (RFC 6665 §4.2.1, §7.3.2)."""
    try:
        package = Event.parse(request.headers.first("Event") or "").package
    except PeerError:
        package = ""
    if package != PACKAGE:
        refusal = response_to(request, 489)
        refusal.headers.add("Allow-Events", PACKAGE)
        return refusal
    accepts = [
        value.partition(";")[0].strip().lower() for value in request.headers.elements("Accept")
    ]
    if accepts and not {CONTENT_TYPE, "application/*", "*/*"} & set(accepts):
        return response_to(request, 406)
    expires = request.expires
    if expires is not None and 0 < expires < SHORTEST:
        refusal = response_to(request, 423)
        refusal.headers.add("Min-Expires", str(SHORTEST))
        return refusal
    return None
