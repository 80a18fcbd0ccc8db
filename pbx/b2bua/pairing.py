"""Who hears whom in a call: joined and joined again, without a word to their phones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from media.client import (
    AnswerRefused,
    Ended,
    LegGone,
    LegId,
    MediaError,
    MediaEvent,
    Misuse,
    OfferRefused,
    Place,
    Player,
)
from pbx.b2bua.endings import CallOver
from pbx.b2bua.events import Heard

if TYPE_CHECKING:
    from pbx.b2bua.call import Call
    from pbx.b2bua.leg import Leg

log = structlog.get_logger()

LOOPBACK = "127.0.0.1"
NO_CODEC = 'SIP;cause=488;text="No codec in common"'


class Pairing:
    """The parties of one call; the one that waits for somebody, or the two that talk."""

    waiting: Leg
    """Who waits for somebody to answer."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.parties: set[Leg] = set()
        """Whose end is the end of the call."""
        self._partner: dict[Leg, Leg] = {}
        self.trunk: tuple[LegId, ...] = ()
        """Our own legs between two workers."""
        self._asked: set[Leg] = set()
        """Who was asked for another codec, so that these two hear each other."""
        self._deaf: Leg | None = None
        """Who does not hear what stands beside it: the other one, or what leads to it."""

    def await_for(self, waiting: Leg) -> None:
        """This one is alone in the call, and waits."""
        self.waiting, self.parties, self._partner = waiting, {waiting}, {}
        self._asked = set()

    def partner_of(self, leg: Leg) -> Leg | None:
        """Whom the leg is joined with."""
        return self._partner.get(leg)

    def beside(self, leg: Leg) -> LegId | None:
        """What the leg is joined with in its own worker."""
        partner, media = self._partner.get(leg), self._call.media
        legs = [partner.media, *self.trunk] if partner else []
        if leg.media is None:
            return None
        return next((near for near in legs if near and media.are_near(near, leg.media)), None)

    async def connect(self, callee: Leg, answer: bytes) -> None:
        """Take the callee's answer, settle ours to a caller that waits for it, let each hear the
        other. Raises `AnswerRefused` for what was not offered."""
        waiting, media = self.waiting, self._call.media
        if callee.media is None or waiting.media is None:
            raise AnswerRefused("the leg is gone")
        if waiting.awaits_answer:
            sealed = self._call.sealed()
            waiting.settled(await media.bridge(callee.media, answer, waiting.media, sealed))
        else:
            await media.take_answer(callee.media, answer)
            if waiting.is_described:
                await self._link(waiting.media, callee.media)
        callee.is_described = True
        self.pair(waiting, callee)

    async def meet(self, comer: Leg) -> None:
        """As `connect`, with a phone that has called by itself and is answered."""
        waiting, media = self.waiting, self._call.media
        if comer.media is None or waiting.media is None:
            raise LegGone("the leg is gone")
        if waiting.awaits_answer:
            near = comer.media if media.are_near(comer.media, waiting.media) else None
            waiting.settled(await media.make_answer(waiting.media, like=near))
            await self._link(waiting.media, comer.media)
        elif waiting.is_described or not waiting.is_beginning:
            await self._link(waiting.media, comer.media)
        self.pair(waiting, comer)

    async def join(self, one: Leg, other: Leg) -> None:
        """Each of two answered phones hears the other from now on."""
        if one.media is None or other.media is None:
            return
        self.pair(one, other)
        await self._link(one.media, other.media)

    async def join_again(self) -> None:
        """After a crash in the middle of a change they may have been parted already, or not yet;
        nobody notices where they were not."""
        for one, other in self._partner.items():
            if one.media and other.media and self._call.media.are_near(one.media, other.media):
                await self._call.media.join(one.media, other.media)
                return

    def pair(self, one: Leg, other: Leg) -> None:
        """These two are the call now."""
        self._partner = {one: other, other: one}
        self.parties = {one, other}
        self._asked = set()

    def change_codec(self, leg: Leg) -> None:
        """They do not hear each other: the phone of this leg is asked for another codec, the other
        one when that would not. Two who would sit in silence are told that the call is over."""
        self._deaf = leg
        two = [one for one in (leg, self.partner_of(leg)) if one is not None and one.is_talking]
        for one in two:
            if one not in self._asked:
                self._asked.add(one)
                one.asking.offer()
                return
        if len(two) == 2:  # one that rings may say otherwise when it is answered
            log.warning("two phones have no codec in common", call=str(self._call.id))
            raise CallOver("no-common-codec", reason=NO_CODEC)

    async def changed(self, leg: Leg) -> None:
        """The phone that was asked for another codec has answered: its worker says if in vain."""
        deaf, asked = self._deaf, leg in self._asked
        near = self.beside(deaf) if deaf is not None and asked else None
        if deaf is not None and deaf.media is not None and near is not None:
            with suppress(LegGone):
                await self._call.media.join(deaf.media, near)

    async def entertain(self, waiting: Leg, player: Player) -> None:
        """One of them waits and hears this, without a silence before it that a crash could make a
        long one; nobody hears them. The other is no party any more."""
        other, media = self.partner_of(waiting), self._call.media
        self.await_for(waiting)
        if waiting.media is not None:
            try:
                await media.feed(waiting.media, player)
            except Misuse:  # in the codec of this phone nothing can be played
                await media.part(waiting.media)
        await self.close()
        if other is not None and other.media is not None:
            await media.part(other.media)

    async def close(self) -> None:
        """Give back what the pairing itself has opened."""
        trunk, self.trunk = self.trunk, ()
        await self._call.media.drop_all(trunk)

    def take_trunk(self, legs: Sequence[LegId]) -> None:
        """They lived on while the exchange was away."""
        self.trunk = tuple(legs)
        for leg in legs:
            self._call.media.adopt(leg, str(self._call.id), self.heard)

    async def _link(self, one: LegId, other: LegId) -> None:
        media = self._call.media
        if media.are_near(one, other):
            await media.join(one, other)
            return
        # After an attended transfer two workers may hold the legs of one call: a leg in each,
        # keyed like any other, carries the sound between them over the loopback interface.
        await self.close()
        place, call = Place(local=LOOPBACK, peer=LOOPBACK), str(self._call.id)
        here, offer = await media.open_offering(
            call, place, self.heard, one, beside=one, is_wide=True
        )
        self.trunk = (here,)
        there = await media.open(call, place, self.heard, offer, beside=other)
        self.trunk = (here, there)
        await media.take_answer(here, await self._trunk_answer(there, other))
        await media.join(one, here)
        await media.join(other, there)

    async def _trunk_answer(self, there: LegId, other: LegId) -> bytes:
        """In a codec of the phone behind it, or in one that it may be asked for then."""
        try:
            return await self._call.media.make_answer(there, like=other)
        except OfferRefused:
            return await self._call.media.make_answer(there)

    def heard(self, event: MediaEvent) -> None:
        """A worker that is gone ends the call."""
        if isinstance(event, Ended):
            self._call.tell(Heard(self.waiting, event))

    async def give_up(self) -> None:
        """Whatever fails now fails in vain."""
        with suppress(MediaError):
            await self.close()
