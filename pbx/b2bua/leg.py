"""One side of a call: a dialog with a phone, and its media leg.

A leg is a machine fed with SIP events; it answers what needs no thought and tells its call the
rest in the words of `pbx.b2bua.events`. `CallerLeg` and `CalleeLeg` add how it begins.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from media.client import (
    Digit,
    Learnt,
    LegGone,
    LegId,
    LegStats,
    MediaClient,
    MediaError,
    MediaUnavailable,
    OfferRefused,
    Place,
    Recorded,
    Stored,
    Unkeyed,
)
from pbx.b2bua import key_press
from pbx.b2bua.asking import Asking
from pbx.b2bua.events import (
    Acknowledged,
    Heard,
    HungUp,
    LegEvent,
    Reanswered,
    Referred,
    RefreshDue,
    Reoffered,
    Vanished,
)
from pbx.b2bua.news import News
from pbx.b2bua.ports import NO_FLOW, Phones, UserAgent
from pbx.b2bua.referral import Referral
from pbx.sip import events as sip
from pbx.sip.dialog import Dialog
from pbx.sip.errors import PeerError
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Message, Request, Response, response_to
from storage.calls import Signalling

if TYPE_CHECKING:
    from pbx.b2bua.call import Call

SDP = "application/sdp"
WARNING_HOST = "pbx"


class Phase(Enum):
    """Where a leg is in its life."""

    BEGINNING = auto()
    CONFIRMED = auto()
    """Answered: BYE ends it."""
    ENDED = auto()


def is_ones_own(device: UUID, person: UUID | None, of_device: UUID, of_person: UUID | None) -> bool:
    """The same device, or another one of the same person's: nobody else's dialog is touched."""
    return device == of_device or (person is not None and person == of_person)


class Leg:
    """What both kinds of leg have in common."""

    role = ""

    def __init__(self, call: Call, id: UUID, device: UUID, flow: FlowId, local_uri: str) -> None:
        self.call = call
        self.id = id
        self.device = device
        self.person: UUID | None = None
        self.flow = flow
        self.dialog: Dialog | None = None
        self.media: LegId | None = None
        self.media_name: LegId = ""
        """Of its media, also after that is dropped."""
        self.phase = Phase.BEGINNING
        self.status = 0
        self.started_at = call.clock()
        self.answered_at: int | None = None
        self.ended_at: int | None = None
        self.contact = f"<{local_uri}>"
        self.signalling = self._protection()
        self.stats: LegStats | None = None
        """Its last figures, once its media is dropped."""
        self.asking = Asking(self)
        self._offered_late = False
        """We offered in the answer to a re-INVITE: the ACK has to answer."""
        self.was_silent = False
        self._refers = 0
        self.supported: tuple[str, ...] = ()
        """Extensions that its phone knows."""
        self.is_described = False
        """Both ends have said how the session is to be, where that came late."""
        self.is_held = False
        """Its phone has put the call on hold."""

    @property
    def is_beginning(self) -> bool:
        """Neither answered nor ended."""
        return self.phase is Phase.BEGINNING

    @property
    def is_talking(self) -> bool:
        """Answered and not ended, with media of its own."""
        return self.phase is Phase.CONFIRMED and self.media is not None

    @property
    def is_confirmed(self) -> bool:
        """Answered and not ended."""
        return self.phase is Phase.CONFIRMED and self.dialog is not None

    def belongs_to(self, device: UUID, person: UUID | None) -> bool:
        """Whether whoever is there may take its place (RFC 3891 §3)."""
        return is_ones_own(device, person, self.device, self.person)

    async def may_hang_up(self) -> None:
        """Returns when a BYE is allowed."""

    @property
    def is_ended(self) -> bool:
        return self.phase is Phase.ENDED

    @property
    def awaits_answer(self) -> bool:
        """Its phone has offered, and hears from us when somebody takes the call."""
        return False

    def settled(self, description: bytes) -> None:
        """What our answer to its phone will say."""

    @property
    def partner(self) -> Leg | None:
        """Whom it is joined with."""
        return self.call.partner_of(self)

    # -- what the call asks of a leg

    async def open_media(self, offer: bytes) -> None:
        """Ports for this leg, whose phone offers; raises `MediaError` where none are to be had,
        and `OfferRefused` for an offer that would not be encrypted."""
        call = self.call
        self.media = self.media_name = await self._media.open(
            str(call.id), self._place(), self.heard, offer, call.sealed()
        )

    async def open_offering(self, like: LegId | None) -> bytes:
        """Ports for this leg, and our offer; raises `MediaError` where none are to be had."""
        self.media, offer = await self._media.open_offering(
            str(self.call.id), self._place(), self.heard, like, beside=like
        )
        self.media_name = self.media
        return offer

    def _place(self) -> Place:
        if not self.call.may_take_ports:
            raise MediaUnavailable("the ports that are left are for emergency calls")
        facts = self._agent.facts(self.flow)
        local, peer = (facts.local[0], facts.peer[0]) if facts else ("", "")
        manner = self.call.around.manners.of(self.device)
        return Place(local=local, peer=peer, manner=manner)

    def hang_up(self, reason: str | None = None) -> None:
        """End the leg, whatever it takes in its phase; nothing happens when it has ended."""
        try:
            if self.phase is Phase.CONFIRMED and self.dialog is not None:
                self._bye(self.dialog, reason)
        finally:
            self.end()

    async def accept_offer(self, reoffer: Reoffered) -> bool:
        """Answer a re-INVITE or UPDATE; whether the session is what the phone asked for.

        The phone's offer ends here: the other leg is joined to this one in the worker and need
        not hear of it.
        """
        if self.phase is Phase.ENDED:
            self.refuse_offer(reoffer, 481)
            return False
        if self.media is None or (not reoffer.request.body and reoffer.request.method == "UPDATE"):
            self._accept(reoffer, b"")  # a refresh that describes nothing
            return True
        try:
            body = await self._describe(self.media, reoffer, self.call.pairing.beside(self))
        except MediaError as error:
            reason = error.reason if isinstance(error, OfferRefused) else ""
            self.refuse_offer(reoffer, 488, reason)
            await self.withdraw()
            return False
        if not self._accept(reoffer, body) and self.is_talking:
            self.asking.offer()  # it took its question back, or its flow is gone: say how it is
        return True

    def refuse_offer(self, reoffer: Reoffered, status: int, warning: str = "") -> None:
        """The session stays as it is."""
        refusal = response_to(reoffer.request, status)
        if warning:
            refusal.headers.add("Warning", f'399 {WARNING_HOST} "{warning}"')
        self._agent.respond(reoffer.transaction, refusal)

    async def take_late_answer(self, sdp: bytes) -> None:
        """The ACK of a re-INVITE that had no offer carries the phone's answer (RFC 3261 §14.2);
        raises `AnswerRefused`."""
        if self.media is not None and self.phase is Phase.CONFIRMED:
            await self._media.take_answer(self.media, sdp)

    async def describe(self, like: LegId | None) -> bytes:
        """An offer of ours within the dialog, as agreed or with what another phone takes; raises
        `MediaError`."""
        if self.media is None:
            raise LegGone("the leg has no media")
        return await self._media.make_offer(self.media, like=like or self.media)

    async def withdraw(self) -> None:
        """An offer was refused, or never sent: what was agreed stays."""
        if self.media is not None:
            with suppress(LegGone, MediaUnavailable):  # its call hears so by itself
                await self._media.withdraw(self.media)

    async def take_reanswer(self, answer: Reanswered) -> None:
        """What our own refresh came to; raises `AnswerRefused` for nonsense."""
        if self.media is None or self.phase is not Phase.CONFIRMED or not answer.is_described:
            return
        if answer.status < 300:
            await self._media.take_answer(self.media, answer.sdp)
        else:
            await self.withdraw()

    def _accept(self, reoffer: Reoffered, body: bytes) -> bool:
        response = self._with_session(response_to(reoffer.request, 200), body)
        return self._agent.respond(reoffer.transaction, response)

    async def _describe(self, media: LegId, reoffer: Reoffered, like: LegId | None) -> bytes:
        if not reoffer.request.body:
            self._offered_late = True
            return await self._media.make_offer(media, like=like)
        await self._media.take_offer(media, reoffer.request.body)
        return await self._media.make_answer(media, like=like)

    # -- what the stack tells a leg

    def receive(self, event: sip.Event) -> None:
        """A SIP event of this leg's transactions or dialog."""
        if self.asking.takes(event):
            return
        match event:
            case sip.RequestReceived():
                self._requested(event)
            case sip.RefreshDue():
                self.tell(RefreshDue(self))
            case sip.Acknowledged():
                self._acknowledged(event)
            case sip.SessionExpired():
                self.vanish("session-expired")
            case sip.TimedOut(timer="ACK"):
                self.vanish("no-ack")
            case _:
                self._began(event)

    def _began(self, event: sip.Event) -> None:
        """An event of the INVITE that made this leg."""

    def _requested(self, event: sip.RequestReceived) -> None:
        request = event.request
        is_fork = self.dialog is not None and not self.is_in(event.dialog)
        if not is_fork and self.phase is not Phase.ENDED:
            self.flow = event.flow
        match request.method:
            case "BYE":
                self._reply(event, 200)
                if not is_fork:
                    self._over(event)
            case _ if is_fork or self.phase is Phase.ENDED:
                self._reply(event, 481)  # another fork's dialog, or one that a BYE is ending
            case "INVITE" | "UPDATE":
                self._reoffered(event)
            case "PRACK":
                self._pracked(event)  # with a description: the stack answers all others itself
            case "INFO" if request.body:
                self._pressed(event)
            case "REFER" if self.phase is Phase.CONFIRMED:
                self.tell(Referred(self, event.transaction, request))
            case "INFO" | "OPTIONS":
                self._reply(event, 200)
            case _:
                self._reply(event, 501)

    def _pressed(self, event: sip.RequestReceived) -> None:
        """A key: for a feature that asked for keys, else for the phone at the other end. While a
        secret is entered none is taken: a PIN would stand in signalling."""
        kind, media, partner = event.request.content_type, self.media, self.partner
        is_heard = media is not None and self._media.tells_digits(media)
        if kind not in key_press.KINDS or not (is_heard or (partner and partner.takes_keys)):
            self._reply(event, 415)
            return
        pressed = key_press.read(kind, event.request.body)
        self._reply(event, 400 if pressed is None else 200)
        if pressed is not None and is_heard and media is not None:
            self.heard(Digit(media, pressed.digit, pressed.milliseconds))
        elif pressed is not None and partner is not None:
            partner.press(pressed)

    @property
    def takes_keys(self) -> bool:
        """Whether its phone is told of keys in signalling."""
        return self.is_talking and self.dialog is not None and "INFO" in self.dialog.state.allow

    def press(self, key: key_press.KeyPress) -> None:
        """Somebody who talks with this phone has pressed a key."""
        if self.dialog is not None:
            self._send(self.dialog.request("INFO", key_press.written(key), key_press.RELAY))

    def _pracked(self, event: sip.RequestReceived) -> None:
        self._reply(event, 488)

    def _reoffered(self, event: sip.RequestReceived) -> None:
        request = event.request
        if self._offered_late and (request.body or request.method == "INVITE"):
            self._reply(event, 491)  # our own offer waits for the answer in an ACK
        elif self.phase is Phase.CONFIRMED:
            self.tell(Reoffered(self, event.transaction, request))
        elif not request.body and request.method == "UPDATE":
            self._reply(event, 200)
        else:
            # Offer and answer of the INVITE are still under way (RFC 3261 §14.2, RFC 3311 §5.2).
            refusal = response_to(request, 500 if self.role == "caller" else 491)
            if self.role == "caller":
                refusal.headers.add("Retry-After", str(secrets.randbelow(11)))
            self._agent.respond(event.transaction, refusal)

    def _reply(self, event: sip.RequestReceived, status: int) -> None:
        response = response_to(event.request, status)
        if event.request.method == "UPDATE" and status < 300:
            response.headers.add("Contact", self.contact)
        self._agent.respond(event.transaction, response)

    def _over(self, event: sip.RequestReceived) -> None:
        if self.phase is Phase.CONFIRMED:
            self.end()
            self.tell(HungUp(self))

    def _acknowledged(self, event: sip.Acknowledged) -> None:
        if self._offered_late and self.is_in(event.dialog):
            self._offered_late = False
            self.tell(Acknowledged(self, event.request.body))

    def acknowledge(self, event: sip.ResponseReceived) -> None:
        """The 2xx of a re-INVITE of ours."""
        if self.dialog is not None:
            self._agent.acknowledge(event.transaction, self.dialog, event.flow)

    def vanish(self, cause: str) -> None:
        self.hang_up()
        self.tell(Vanished(self, cause))

    def _unkeyed(self) -> None:
        """Its handshake failed: there will be no sound, and never any in clear."""
        self.vanish("unkeyed")

    def heard(self, event: object) -> None:
        """What its media worker says."""
        if isinstance(event, Stored | Recorded) and self.call.around.voicemail is not None:
            self.call.around.voicemail.heard(event)  # comes also when the leg has ended
        if isinstance(event, Learnt):
            self.call.around.manners.heard(self.device, event.manner)
        elif isinstance(event, Unkeyed) and self.phase is not Phase.ENDED:
            self._unkeyed()
        elif self.phase is not Phase.ENDED:
            self.tell(Heard(self, event))  # type: ignore[arg-type]

    def answer_referral(self, asked: Referred, status: int, warning: str = "") -> News:
        """Say whether we do what the phone asks; the news of it begin with a 202."""
        response = response_to(asked.request, status)
        wants_news = False
        if status < 300:
            response.headers.add("Contact", self.contact)
            self._refers += 1
            wants_news = Referral.of(asked.request).wants_news
            if not wants_news:
                response.headers.add("Refer-Sub", "false")
        elif warning:
            response.headers.add("Warning", f'399 {WARNING_HOST} "{warning}"')
        self._agent.respond(asked.transaction, response)
        number = asked.request.cseq.number if self._refers > 1 else None
        return News(self, number, is_wanted=wants_news)

    # -- what every leg does

    def send_in_dialog(self, request: Request) -> TransactionId:
        """A request that says again where we are."""
        request.headers.set("Contact", self.contact)
        return self._send(request)

    def send_when_reachable(self, dialog: Dialog, write: Callable[[], Request]) -> None:
        """Now; or, of a phone not heard of since the exchange came back, when it registers."""
        if self._phones.flow_of(self.device, self.flow) == NO_FLOW:
            self.call.owe(self.device, dialog, write)
        else:
            self.send_in_dialog(write())

    def _bye(self, dialog: Dialog, reason: str | None) -> None:
        if self._phones.flow_of(self.device, self.flow) == NO_FLOW:
            self.call.owe(self.device, dialog)
            return
        bye = dialog.request("BYE")
        if reason:
            bye.headers.add("Reason", reason)
        self._send(bye)

    def _send(self, request: Request) -> TransactionId:
        """In a dialog, by the device's newest flow: a call belongs to the device."""
        self.flow = self._phones.flow_of(self.device, self.flow)
        transaction = self._agent.request(self.flow, request)
        self.call.listen(transaction, self)
        return transaction

    def _with_session(self, response: Response, body: bytes) -> Response:
        response.headers.add("Contact", self.contact)
        if body:
            response.headers.add("Content-Type", SDP)
            response.body = body
        return response

    def _confirm(self, dialog: Dialog) -> None:
        self.dialog, self.phase = dialog, Phase.CONFIRMED
        self.answered_at = self.call.clock()

    def end(self) -> None:
        """Nothing more is expected of it."""
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            self.ended_at = self.ended_at or self.call.clock()
            self.asking.close()
            self.call.ended(self)

    def is_in(self, dialog: Dialog | None) -> bool:
        """Whether it is this leg's own dialog, not that of another fork."""
        return dialog is not None and self.dialog is not None and dialog.id == self.dialog.id

    def tell(self, event: LegEvent) -> None:
        self.call.tell(event)

    def _protection(self) -> Signalling | None:
        facts: FlowFacts | None = self._agent.facts(self.flow)
        if facts is None:
            return None
        return Signalling(
            tls_version=facts.tls_version,
            cipher=facts.cipher,
            authentication=self._phones.authentication_of(self.flow),
        )

    @property
    def _agent(self) -> UserAgent:
        return self.call.agent

    @property
    def _phones(self) -> Phones:
        return self.call.phones

    @property
    def _media(self) -> MediaClient:
        return self.call.media


def extensions_of(message: Message) -> tuple[str, ...]:
    """What its sender says it knows; nothing that can be read is nothing."""
    try:
        return message.supported
    except PeerError:
        return ()
