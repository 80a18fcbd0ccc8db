"""One side of a call: a dialog with a phone, and its media leg.

A leg is a machine fed with SIP events; it answers what needs no thought and tells its call the
rest in the words of `pbx.b2bua.events`. `CallerLeg` and `CalleeLeg` add how it begins.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from media.client import (
    LegGone,
    LegId,
    LegStats,
    MediaClient,
    MediaError,
    MediaUnavailable,
    Place,
)
from pbx.b2bua.events import (
    Acknowledged,
    Heard,
    HungUp,
    LegEvent,
    Reanswered,
    RefreshDue,
    Reoffered,
    Vanished,
)
from pbx.b2bua.ports import Phones, UserAgent
from pbx.sip import events as sip
from pbx.sip.dialog import Dialog
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Request, Response, response_to
from storage.calls import Signalling

if TYPE_CHECKING:
    from pbx.b2bua.call import Call

SDP = "application/sdp"


class Phase(Enum):
    """Where a leg is in its life."""

    BEGINNING = auto()
    CONFIRMED = auto()
    """Answered: BYE ends it."""
    ENDED = auto()


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
        self.phase = Phase.BEGINNING
        self.status = 0
        self.started_at = call.clock()
        self.answered_at: int | None = None
        self.ended_at: int | None = None
        self._contact = f"<{local_uri}>"
        self.signalling = self._protection()
        self.stats: LegStats | None = None
        """Its last figures, once its media is dropped."""
        self._refreshing: TransactionId | None = None
        self._offered_late = False
        """We offered in the answer to a re-INVITE: the ACK has to answer."""
        self.was_silent = False

    @property
    def is_beginning(self) -> bool:
        """Neither answered nor ended."""
        return self.phase is Phase.BEGINNING

    # -- what the call asks of a leg

    async def open_media(self, offer: bytes) -> LegId:
        """Ports for this leg, whose phone offers; raises `MediaError` where none are to be had,
        and `OfferRefused` for an offer that would not be encrypted."""
        self.media = await self._media.open(str(self.call.id), self._place(), self._heard, offer)
        return self.media

    async def open_offering(self, like: LegId | None) -> bytes:
        """Ports for this leg, and our offer; raises `MediaError` where none are to be had."""
        self.media, offer = await self._media.open_offering(
            str(self.call.id), self._place(), self._heard, like
        )
        return offer

    def _place(self) -> Place:
        if not self.call.may_take_ports:
            raise MediaUnavailable("the ports that are left are for emergency calls")
        facts = self._agent.facts(self.flow)
        local, peer = (facts.local[0], facts.peer[0]) if facts else ("", "")
        return Place(local=local, peer=peer)

    def hang_up(self, reason: str | None = None) -> None:
        """End the leg, whatever it takes in its phase; nothing happens when it has ended."""
        try:
            if self.phase is Phase.CONFIRMED and self.dialog is not None:
                self._bye(self.dialog, reason)
        finally:
            self._end()

    async def accept_offer(self, reoffer: Reoffered, other: Leg | None) -> bool:
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
            body = await self._describe(self.media, reoffer, other.media if other else None)
        except MediaError:
            self.refuse_offer(reoffer, 488)
            with suppress(LegGone, MediaUnavailable):  # its call hears so by itself
                await self._media.withdraw(self.media)
            return False
        self._accept(reoffer, body)
        return True

    def refuse_offer(self, reoffer: Reoffered, status: int) -> None:
        """The session stays as it is."""
        self._agent.respond(reoffer.transaction, response_to(reoffer.request, status))

    async def take_late_answer(self, sdp: bytes) -> None:
        """The ACK of a re-INVITE that had no offer carries the phone's answer (RFC 3261 §14.2);
        raises `AnswerRefused`."""
        if self.media is not None and self.phase is Phase.CONFIRMED:
            await self._media.take_answer(self.media, sdp)

    async def refresh(self) -> None:
        """Show that the session lives: UPDATE where the phone takes it (RFC 4028 §7.4)."""
        if self.dialog is None or self.media is None or self.phase is not Phase.CONFIRMED:
            return
        if self._refreshing is not None:
            return
        if "UPDATE" in self.dialog.state.allow:
            self._refresh(self.dialog.request("UPDATE"))
        else:
            offer = await self._media.make_offer(self.media)
            self._refresh(self.dialog.request("INVITE", offer, SDP))

    async def take_reanswer(self, answer: Reanswered) -> None:
        """What our own refresh came to; raises `AnswerRefused` for nonsense."""
        if self.media is None or self.phase is not Phase.CONFIRMED or not answer.is_described:
            return
        if answer.status < 300:
            await self._media.take_answer(self.media, answer.sdp)
        else:
            await self._media.withdraw(self.media)  # what was agreed stays

    def _refresh(self, request: Request) -> None:
        if self.phase is Phase.CONFIRMED:  # it may have hung up while we described the session
            request.headers.set("Contact", self._contact)
            self._refreshing = self._send(request)

    def _accept(self, reoffer: Reoffered, body: bytes) -> None:
        response = self._with_session(response_to(reoffer.request, 200), body)
        self._agent.respond(reoffer.transaction, response)

    async def _describe(self, media: LegId, reoffer: Reoffered, like: LegId | None) -> bytes:
        if not reoffer.request.body:
            self._offered_late = True
            return await self._media.make_offer(media, like=like)
        await self._media.take_offer(media, reoffer.request.body)
        return await self._media.make_answer(media, like=like)

    # -- what the stack tells a leg

    def receive(self, event: sip.Event) -> None:
        """A SIP event of this leg's transactions or dialog."""
        match event:
            case sip.RequestReceived():
                self._requested(event)
            case sip.RefreshDue():
                self._tell(RefreshDue(self))
            case sip.Acknowledged():
                self._acknowledged(event)
            case sip.SessionExpired():
                self._vanish("session-expired")
            case sip.TimedOut(timer="ACK"):
                self._vanish("no-ack")
            case sip.ResponseReceived(transaction=transaction) if transaction == self._refreshing:
                self._refreshed(event)
            case sip.TimedOut(transaction=transaction) if transaction == self._refreshing:
                self._vanish("session-expired")
            case sip.FlowLost(transaction=transaction) if transaction == self._refreshing:
                self._refreshing = None  # the next refresh takes the device's next flow
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
                self._reply(event, 488)  # with an offer: the stack answers all others itself
            case "INFO" | "OPTIONS":
                self._reply(event, 200)
            case _:
                self._reply(event, 501)

    def _reoffered(self, event: sip.RequestReceived) -> None:
        request = event.request
        if self.phase is Phase.CONFIRMED:
            self._tell(Reoffered(self, event.transaction, request))
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
            response.headers.add("Contact", self._contact)
        self._agent.respond(event.transaction, response)

    def _over(self, event: sip.RequestReceived) -> None:
        if self.phase is Phase.CONFIRMED:
            self._end()
            self._tell(HungUp(self))

    def _acknowledged(self, event: sip.Acknowledged) -> None:
        if self._offered_late and self.is_in(event.dialog):
            self._offered_late = False
            self._tell(Acknowledged(self, event.request.body))

    def _refreshed(self, event: sip.ResponseReceived) -> None:
        response = event.response
        if response.status < 200:
            return
        self._refreshing = None
        if response.cseq.method == "INVITE" and response.status < 300 and self.dialog is not None:
            self._agent.acknowledge(event.transaction, self.dialog, event.flow)
        if response.status == 422 and self.phase is Phase.CONFIRMED:
            self._tell(RefreshDue(self))  # the stack has learnt the interval (RFC 4028 §7.4)
        if response.status in (408, 481):
            self._vanish("session-expired")
        else:
            is_described = response.cseq.method == "INVITE"
            self._tell(Reanswered(self, response.status, response.body, is_described))

    def _vanish(self, cause: str) -> None:
        self.hang_up()
        self._tell(Vanished(self, cause))

    def _heard(self, event: object) -> None:
        if self.phase is not Phase.ENDED:
            self._tell(Heard(self, event))  # type: ignore[arg-type]

    # -- what every leg does

    def _bye(self, dialog: Dialog, reason: str | None) -> None:
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
        response.headers.add("Contact", self._contact)
        if body:
            response.headers.add("Content-Type", SDP)
            response.body = body
        return response

    def _confirm(self, dialog: Dialog) -> None:
        self.dialog, self.phase = dialog, Phase.CONFIRMED
        self.answered_at = self.call.clock()

    def _end(self) -> None:
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            self.ended_at = self.call.clock()
            self.call.ended(self)

    def is_in(self, dialog: Dialog | None) -> bool:
        """Whether it is this leg's own dialog, not that of another fork."""
        return dialog is not None and self.dialog is not None and dialog.id == self.dialog.id

    def _tell(self, event: LegEvent) -> None:
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
