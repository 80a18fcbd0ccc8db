"""How a transfer goes, told to the phone that asked for it (RFC 3515 §2.4.4, §2.4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.b2bua.referral import Referral
from pbx.b2bua.session import WARNING_HOST
from pbx.sip.message import response_to
from pbx.sip.reasons import REASONS

if TYPE_CHECKING:
    from pbx.b2bua.events import Referred
    from pbx.b2bua.leg import Leg
    from pbx.sip.dialog import Dialog
    from pbx.sip.message import Request

FRAGMENT = "message/sipfrag;version=2.0"
LASTS = 180
"""Seconds that the implicit subscription is said to last: no target rings for longer."""


class News:
    """The implicit subscription of one REFER: each NOTIFY carries the status line so far."""

    def __init__(self, leg: Leg, number: int | None, *, is_wanted: bool) -> None:
        """`number` is the REFER's CSeq where it was not the first in its dialog."""
        self._leg = leg
        self.number, self.is_wanted = number, is_wanted
        self._event = "refer" if number is None else f"refer;id={number}"
        self._last = 0

    def tell(self, status: int) -> None:
        """The target said so; a final status ends the subscription."""
        leg, dialog = self._leg, self._leg.dialog
        if not self.is_wanted or status == self._last or dialog is None or not leg.is_confirmed:
            return
        self._last = status
        self.is_wanted = status < 200
        leg.send_when_reachable(dialog, lambda: self._notify(dialog, status))

    def _notify(self, dialog: Dialog, status: int) -> Request:
        line = f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()
        notify = dialog.request("NOTIFY", line, FRAGMENT)
        notify.headers.add("Event", self._event)
        state = f"active;expires={LASTS}" if status < 200 else "terminated;reason=noresource"
        notify.headers.add("Subscription-State", state)
        return notify


def answer_referral(asked: Referred, status: int, warning: str = "") -> News:
    """Say whether we do what the phone asks; the news of it begin with a 202."""
    leg, response = asked.leg, response_to(asked.request, status)
    wants_news = False
    if status < 300:
        response.headers.add("Contact", leg.contact)
        leg.refers += 1
        wants_news = Referral.of(asked.request).wants_news
        if not wants_news:
            response.headers.add("Refer-Sub", "false")
    elif warning:
        response.headers.add("Warning", f'399 {WARNING_HOST} "{warning}"')
    leg.call.agent.respond(asked.transaction, response)
    number = asked.request.cseq.number if leg.refers > 1 else None
    return News(leg, number, is_wanted=wants_news)
