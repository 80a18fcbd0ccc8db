"""Keys that a phone presses in signalling (SIP INFO), for a feature or the other phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.client import Digit
from pbx.b2bua import key_press
from pbx.sip import events as sip
from pbx.sip.events import TransactionId

if TYPE_CHECKING:
    from pbx.b2bua.leg import Leg


MOST_OPEN = 8
"""Key presses that a phone is told before it has answered the first of them."""


class Keys:
    """What comes of them on one leg."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._open: set[TransactionId] = set()

    def pressed(self, event: sip.RequestReceived) -> None:
        """A key: for a feature that asked for keys, else for the phone at the other end. While a
        secret is entered none is taken: a PIN would stand in signalling."""
        leg, partner = self._leg, self._leg.partner
        kind, media = event.request.content_type, leg.media
        is_heard = media is not None and leg.call.media.tells_digits(media)
        if kind not in key_press.KINDS or not (is_heard or (partner and partner.keys.are_taken)):
            leg.reply(event, 415)
            return
        if partner is not None and not is_heard and partner.keys.are_many:
            leg.reply(event, 503)  # faster than the other phone can hear
            return
        pressed = key_press.read(kind, event.request.body)
        leg.reply(event, 400 if pressed is None else 200)
        if pressed is not None and is_heard and media is not None:
            leg.heard(Digit(media, pressed.digit, pressed.milliseconds))
        elif pressed is not None and partner is not None:
            partner.keys.press(pressed)

    @property
    def are_taken(self) -> bool:
        """Whether its phone is told of keys in signalling."""
        leg = self._leg
        return leg.is_talking and leg.dialog is not None and "INFO" in leg.dialog.state.allow

    @property
    def are_many(self) -> bool:
        """Whether its phone has not answered so many."""
        return len(self._open) >= MOST_OPEN

    def takes(self, event: sip.Event) -> bool:
        """Whether the event is what became of one that it was told."""
        transaction = getattr(event, "transaction", None)
        if transaction not in self._open:
            return False
        if not (isinstance(event, sip.ResponseReceived) and event.response.status < 200):
            self._open.discard(transaction)
        return True

    def press(self, key: key_press.KeyPress) -> None:
        """Somebody who talks with this phone has pressed a key."""
        if self._leg.dialog is not None:
            info = self._leg.dialog.request("INFO", key_press.written(key), key_press.RELAY)
            self._open.add(self._leg.send(info))
