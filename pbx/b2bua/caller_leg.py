"""The leg of the phone that calls: we are its UAS (RFC 3261 §13.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

from media.client import AnswerRefused, LegGone, LegId
from pbx.b2bua.endings import CallOver
from pbx.b2bua.events import GaveUp, HungUp
from pbx.b2bua.leg import Leg, Phase, extensions_of
from pbx.b2bua.session import WARNING_HOST, with_description
from pbx.dialplan.emergency import SERVICE_NUMBER, is_service
from pbx.dialplan.numbers import dialled
from pbx.sip import events as sip
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowFacts
from pbx.sip.message import Request, Response, response_to
from pbx.sip.uri import SipUri
from storage.calls import CallOutcome

if TYPE_CHECKING:
    from pbx.b2bua.call import Call


class CallerLeg(Leg):
    """Begins with an INVITE of the phone's."""

    role = "caller"

    def __init__(self, call: Call, id: UUID, device: UUID, event: sip.RequestReceived) -> None:
        facts = call.agent.facts(event.flow)
        super().__init__(call, id, device, event.flow, own_uri(facts, event.request))
        self.request = event.request
        self.supported = extensions_of(event.request)
        user = user_of(event.request)
        self.dialled = dialled(user) or user
        """The number in the form that the plan compares; what is no number, as it came."""
        self._transaction = event.transaction
        self._answer = b""
        self._is_acknowledged = asyncio.Event()
        self._offers_late = not event.request.body
        """The INVITE describes nothing: we offer, and the ACK or a PRACK answers (§13.2.1)."""
        self._late_answer: bytes | None = None
        self._is_answered_late = asyncio.Event()
        self._has_rung = False
        self._has_path = False
        """A 183 has been sent: the phone plays what we send, not its own ringback."""

    @property
    def transaction(self) -> TransactionId:
        """That of its INVITE."""
        return self._transaction

    async def take_offer(self) -> None:
        """Raises `OfferRefused` for an offer that would not be encrypted."""
        await self.session.open(self.request.body)

    @property
    def awaits_answer(self) -> bool:
        return self.is_beginning and not self._offers_late

    def ring(self) -> None:
        """The phone makes its own ringback from this; it is told once, however often those that
        are rung say so."""
        if self.is_beginning and not (self._has_path or self._has_rung or self._asks_in_prack):
            self._has_rung = True
            self._progress(180, b"")

    async def prepare(self, like: Leg) -> None:
        """Settle our answer, so that sound can flow the moment it is sent."""
        if self.awaits_answer:
            await self._make_answer(like)

    def settled(self, description: bytes) -> None:
        """Our answer, as it was settled with that of the phone that took the call."""
        self._answer = self._answer or description

    async def progress(self, like: Leg | None = None) -> None:
        """Open the path before anybody answered: for a prompt, or early media."""
        if self._offers_late:
            await self._progress_late(like)
        elif self.is_beginning and not self._has_path:
            body = await self._make_answer(like)
            self._has_path = True  # a CANCEL meanwhile makes the response a late one: not sent
            self._progress(183, body)

    async def accept(self, like: Leg | None = None) -> None:
        """Answer; the description is the same as in an earlier 183."""
        if not self.is_beginning:
            return
        asks = self._offers_late and not self.is_described
        body = await (self._offer(like) if asks else self._make_answer(like))
        answer = with_description(response_to(self.request, 200), self.contact, body)
        # A CANCEL meanwhile makes the response a late one.
        if self._respond(answer) and (dialog := self.call.dialog_of(answer, self)) is not None:
            self.status = 200
            self._confirm(dialog)
            self.is_described = not asks
            if asks:
                await self._take_late_answer(like)

    def reject(self, status: int, *, warning: str = "", reason: str | None = None) -> None:
        """The final word of a call that nobody answered."""
        if not self.is_beginning:
            return
        response = response_to(self.request, status)
        if warning:
            response.headers.add("Warning", f'399 {WARNING_HOST} "{warning}"')
        if reason:
            response.headers.add("Reason", reason)
        self.status = status
        self._respond(response)
        self.end()

    def hang_up(self, reason: str | None = None) -> None:
        if self.is_beginning:
            self.reject(480, reason=reason)
        else:
            super().hang_up(reason)

    def _began(self, event: sip.Event) -> None:
        if getattr(event, "transaction", None) != self._transaction:
            return  # of another request of this dialog
        match event:
            case sip.Cancelled():
                self._give_up(487)
            case sip.FlowLost():
                self._give_up()
            case sip.TimedOut(timer="PRACK"):
                self._give_up(504)
            case sip.TimedOut():
                self._give_up()

    @property
    def _asks_in_prack(self) -> bool:
        """The first reliable response has to carry our offer (RFC 3261 §13.2.1). Only where the
        phone insists on reliable ones: PJSIP 2.15 aborts at an offer in a 183."""
        return self._offers_late and "100rel" in self.request.require

    async def _progress_late(self, like: Leg | None) -> None:
        """A phone that did not offer has no path before it answered ours: by PRACK, if it can."""
        if not self.is_beginning or self._has_path:
            return
        if not self._asks_in_prack:
            self.ring()
            return
        body = await self._offer(like)
        self._has_path = True
        response = with_description(response_to(self.request, 183), self.contact, body)
        if self._agent.respond(self._transaction, response, reliably=True):
            self.call.early_dialog_of(response)
            await self._take_late_answer(like)

    async def _offer(self, like: Leg | None) -> bytes:
        if self.media is None:
            raise LegGone("the caller's leg has no ports")
        return await self._media.make_offer(self.media, like=self._near(like))

    async def _take_late_answer(self, like: Leg | None) -> None:
        """Wait for the answer to our offer; nothing can be heard before."""
        await self._is_answered_late.wait()
        if self.phase is Phase.ENDED or self._late_answer is None or self.media is None:
            return  # what ended it is told
        try:
            await self._media.take_answer(self.media, self._late_answer)
        except AnswerRefused:
            if self is not self.call.caller:
                raise  # whoever comes to a call does not end it
            raise CallOver("caller-answer-refused", CallOutcome.FAILED) from None
        self.is_described = True
        if (near := self._near(like)) is not None:
            await self._media.join(self.media, near)

    def _near(self, like: Leg | None) -> LegId | None:
        """The other leg, where one worker has both."""
        if like is None or like.media is None or self.media is None:
            return None
        return like.media if self._media.are_near(self.media, like.media) else None

    def _pracked(self, event: sip.RequestReceived) -> None:
        """A PRACK with a description: the answer to our offer in a reliable 183, or another offer
        that nobody waits for."""
        waits = self._offers_late and self._has_path and self._late_answer is None
        self.reply(event, 200 if waits else 488)
        if waits:
            self._late_answer = event.request.body
            self._is_answered_late.set()

    def _over(self, event: sip.RequestReceived) -> None:
        """BYE of a phone that was not answered yet (RFC 3261 §15.1.2): its INVITE ends too."""
        if self.is_beginning:
            self._respond(response_to(self.request, 487))
            self._give_up(487)
        else:
            super()._over(event)

    def _give_up(self, status: int = 0) -> None:
        """The INVITE is over without an answer of ours, or with one that never went out
        because it waited for a PRACK."""
        if self.phase is not Phase.ENDED:
            told = GaveUp(self) if self.is_beginning else HungUp(self)
            self.status = status
            self.end()
            self.tell(told)
            self._is_acknowledged.set()
            self._is_answered_late.set()

    def _acknowledged(self, event: sip.Acknowledged) -> None:
        self._is_acknowledged.set()
        if self._offers_late and self._late_answer is None:
            self._late_answer = event.request.body
            self._is_answered_late.set()
        super()._acknowledged(event)

    def _unacknowledged(self, event: sip.TimedOut) -> None:
        if event.transaction == self._transaction:
            self.vanish("no-ack")
        else:
            super()._unacknowledged(event)

    def vanish(self, cause: str) -> None:
        self._is_acknowledged.set()
        self._is_answered_late.set()
        super().vanish(cause)

    async def may_hang_up(self) -> None:
        """Returns when a BYE is allowed: after the ACK of our 2xx, or when it never comes
        (RFC 3261 §15)."""
        if self.phase is Phase.CONFIRMED:
            await self._is_acknowledged.wait()

    def _progress(self, status: int, body: bytes) -> None:
        response = with_description(response_to(self.request, status), self.contact, body)
        if self._respond(response):
            self.call.early_dialog_of(response)

    async def _make_answer(self, like: Leg | None) -> bytes:
        if self._offers_late:
            return b""  # a PRACK has brought its answer
        if not self._answer:
            if self.media is None:
                raise LegGone("the caller's leg has no ports")
            other = self._near(like)
            self._answer = await self._media.make_answer(self.media, like=other)
        return self._answer

    def _respond(self, response: Response) -> bool:
        return self._agent.respond(self._transaction, response)


def user_of(request: Request) -> str:
    """The user part of the Request-URI, the digits of a tel: URI, or what stands for a service.

    A number in a user part may bring parameters, `911;phone-context=+1` (RFC 3261 §19.1.6)."""
    if is_service(request.uri_text):
        return SERVICE_NUMBER
    uri = request.uri
    if isinstance(uri, SipUri):
        return (uri.user or "").partition(";")[0]
    return getattr(uri, "digits", "")


def own_uri(facts: FlowFacts | None, request: Request | None = None, user: str = "pbx") -> str:
    """Our Contact on a flow; `sips:` is mirrored where the Request-URI has it (§8.1.1.8).

    PJSIP and others go by it: at an address that they do not know us by they look for another
    connection, and ACK and BYE never come."""
    address, port = facts.local if facts else ("127.0.0.1", 5061)
    address = (facts.public if facts else "") or address
    host = f"[{address}]" if ":" in address else address
    if request is not None and request.uri_text.lower().startswith("sips:"):
        return f"sips:{user}@{host}:{port}"
    return f"sip:{user}@{host}:{port};transport=tls"
