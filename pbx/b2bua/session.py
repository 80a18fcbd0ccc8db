"""The session of one leg: what its phone and its media leg describe to each other (RFC 3264).

Every offer ends here, from the phone or to it: the other leg is joined to this one in the worker
and need not hear of it.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from media.client import (
    LegGone,
    LegId,
    MediaClient,
    MediaError,
    MediaUnavailable,
    OfferRefused,
    Place,
)
from pbx.b2bua.events import Acknowledged, Reanswered, Reoffered
from pbx.sip import events as sip
from pbx.sip.message import Response, response_to

if TYPE_CHECKING:
    from pbx.b2bua.leg import Leg

SDP = "application/sdp"
WARNING_HOST = "pbx"


class Session:
    """Ports for a leg, and its offers and answers; what they come to stands in `leg.media`."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._offered_late = False
        """We offered in the answer to a re-INVITE: the ACK has to answer."""

    # -- how it begins

    async def open(self, offer: bytes) -> None:
        """Ports for this leg, whose phone offers; raises `MediaError` where none are to be had,
        and `OfferRefused` for an offer that would not be encrypted."""
        leg, call = self._leg, self._leg.call
        leg.media = leg.media_name = await self._media.open(
            str(call.id), self._place(), leg.heard, offer, call.sealed()
        )

    async def open_offering(self, like: Leg) -> bytes:
        """Ports for this leg, and our offer; raises `MediaError` where none are to be had."""
        leg, near = self._leg, like.media
        leg.media, offer = await self._media.open_offering(
            str(leg.call.id),
            self._place(),
            leg.heard,
            near,
            beside=near,
            is_wide=like.is_confirmed,
        )
        leg.media_name = leg.media
        return offer

    def _place(self) -> Place:
        leg, call = self._leg, self._leg.call
        if not call.members.may_take_ports:
            raise MediaUnavailable("the ports that are left are for emergency calls")
        facts = call.agent.facts(leg.flow)
        local, peer = (facts.local[0], facts.peer[0]) if facts else ("", "")
        return Place(local=local, peer=peer, manner=call.around.manners.of(leg.device))

    # -- the phone asks for a change

    def reoffered(self, event: sip.RequestReceived) -> None:
        """A re-INVITE or UPDATE, for the call's task; or why it cannot be looked at now."""
        leg, request = self._leg, event.request
        if self._offered_late and (request.body or request.method == "INVITE"):
            leg.reply(event, 491)  # our own offer waits for the answer in an ACK
        elif leg.is_confirmed:
            leg.tell(Reoffered(leg, event.transaction, request))
        elif not request.body and request.method == "UPDATE":
            leg.reply(event, 200)
        else:
            # Offer and answer of the INVITE are still under way (RFC 3261 §14.2, RFC 3311 §5.2).
            refusal = response_to(request, 500 if leg.role == "caller" else 491)
            if leg.role == "caller":
                refusal.headers.add("Retry-After", str(secrets.randbelow(11)))
            leg.call.agent.respond(event.transaction, refusal)

    async def accept(self, reoffer: Reoffered) -> bool:
        """Answer a re-INVITE or UPDATE; whether the session is what the phone asked for."""
        leg = self._leg
        if leg.is_ended:
            self.refuse(reoffer, 481)
            return False
        if leg.media is None or (not reoffer.request.body and reoffer.request.method == "UPDATE"):
            self._accept(reoffer, b"")  # a refresh that describes nothing
            return True
        try:
            body = await self._describe(leg.media, reoffer, leg.call.pairing.beside(leg))
        except MediaError as error:
            self._offered_late = False
            self.refuse(reoffer, 488, error.reason if isinstance(error, OfferRefused) else "")
            await self.withdraw()
            return False
        if not self._accept(reoffer, body):
            self._offered_late = False  # no ACK comes of it
            if leg.is_talking:
                leg.asking.offer()  # it took its question back, or its flow is gone: say how it is
        return True

    def refuse(self, reoffer: Reoffered, status: int, warning: str = "") -> None:
        """The session stays as it is."""
        refusal = response_to(reoffer.request, status)
        if warning:
            refusal.headers.add("Warning", f'399 {WARNING_HOST} "{warning}"')
        self._leg.call.agent.respond(reoffer.transaction, refusal)

    def acknowledged(self, event: sip.Acknowledged) -> None:
        """The ACK of a re-INVITE; that of one that had no offer answers ours."""
        if self._offered_late:
            self._offered_late = False
            self._leg.tell(Acknowledged(self._leg, event.request.body))

    def unacknowledged(self) -> None:
        """The ACK of a re-INVITE never came: nobody waits for an answer in it any more."""
        self._offered_late = False

    async def take_late_answer(self, sdp: bytes) -> None:
        """The ACK of a re-INVITE that had no offer carries the phone's answer (RFC 3261 §14.2);
        raises `AnswerRefused`."""
        if self._leg.is_confirmed and self._leg.media is not None:
            await self._media.take_answer(self._leg.media, sdp)

    def _accept(self, reoffer: Reoffered, body: bytes) -> bool:
        leg = self._leg
        response = with_description(response_to(reoffer.request, 200), leg.contact, body)
        return leg.call.agent.respond(reoffer.transaction, response)

    async def _describe(self, media: LegId, reoffer: Reoffered, like: LegId | None) -> bytes:
        if not reoffer.request.body:
            self._offered_late = True
            return await self._media.make_offer(media, like=like)
        await self._media.take_offer(media, reoffer.request.body)
        return await self._media.make_answer(media, like=like)

    # -- we ask for one

    async def describe(self, like: LegId | None) -> bytes:
        """An offer of ours within the dialog, as agreed or with what another phone takes; raises
        `MediaError`."""
        media = self._leg.media
        if media is None:
            raise LegGone("the leg has no media")
        return await self._media.make_offer(media, like=like or media)

    async def withdraw(self) -> None:
        """An offer was refused, or never sent: what was agreed stays."""
        if self._leg.media is not None:
            with suppress(LegGone, MediaUnavailable):  # its call hears so by itself
                await self._media.withdraw(self._leg.media)

    async def take_reanswer(self, answer: Reanswered) -> None:
        """What our own re-INVITE came to; raises `AnswerRefused` for nonsense."""
        leg = self._leg
        if leg.media is None or not leg.is_confirmed or not answer.is_described:
            return
        if answer.status < 300:
            await self._media.take_answer(leg.media, answer.sdp)
        else:
            await self.withdraw()

    @property
    def _media(self) -> MediaClient:
        return self._leg.call.media


def with_description(response: Response, contact: str, body: bytes) -> Response:
    """A response that says where we are, and how the session is to be."""
    response.headers.add("Contact", contact)
    if body:
        response.headers.add("Content-Type", SDP)
        response.body = body
    return response
