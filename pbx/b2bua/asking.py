"""What we ask of a phone in its dialog: that the session lives, and how it is to be from now on.

One thing at a time. Where both ends ask at once, each is told 491 and the one that made the
Call-ID waits longer (RFC 3261 §14.1); what we wanted is asked again then.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from pbx.b2bua.events import Reanswered, RefreshDue
from pbx.sip import events as sip
from pbx.sip.message import Request, Response

if TYPE_CHECKING:
    from pbx.b2bua.identity import Shown
    from pbx.b2bua.leg import Leg
    from pbx.sip.dialog import Dialog
    from pbx.sip.events import TransactionId

OWNER, OTHER = (2.1, 4.0), (0.0, 2.0)
"""Seconds to wait after a glare: of the end that made the Call-ID, and of the other one."""
BUSY = 0.2
"""Until we look again whether what the phone asks is over."""
LOST = 1.0
"""Until the phone may have another flow."""
LONGEST = 10.0
"""A phone that wants to be left alone for longer is not asked again."""
MOST_TRIES = 8


class Asking:
    """Requests of ours in the dialog of one leg; the call's task calls `ask` when it is told."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._open: TransactionId | None = None
        self._is_described = False
        self._wants_offer = self._had_to_offer = False
        self._shown: Shown | None = None
        self._named: Shown | None = None
        self._tries = 0
        self._again: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """The leg is over: nothing is asked again."""
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def offer(self) -> None:
        """Describe the session to the phone anew, as soon as it can be."""
        self._wants_offer = True
        self._leg.tell(RefreshDue(self._leg))

    def show(self, shown: Shown) -> None:
        """Tell the phone who is at the other end now (RFC 4916; RFC 3325 to those without it)."""
        self._shown = shown
        self._leg.tell(RefreshDue(self._leg))

    async def ask(self) -> None:
        """Say what there is to say: UPDATE where the phone takes it (RFC 4028 §7.4)."""
        leg, dialog = self._leg, self._leg.dialog
        if dialog is None or not leg.is_talking or self._open is not None:
            return
        if not dialog.is_settled:
            self._later(BUSY)
        elif "UPDATE" in dialog.state.allow and not self._wants_offer:
            self._send(dialog.request("UPDATE"), is_described=False)
        else:
            await self._reinvite(dialog)

    def takes(self, event: sip.Event) -> bool:
        """Whether the event belongs to what is open; then it is heeded."""
        if self._open is None or getattr(event, "transaction", None) != self._open:
            return False
        match event:
            case sip.ResponseReceived():
                self._answered(event)
            case sip.TimedOut():
                self._leg.vanish("session-expired")
            case sip.FlowLost():
                self._over(503)
                self._once_more(LOST)  # by the device's next flow
        return True

    async def _reinvite(self, dialog: Dialog) -> None:
        leg = self._leg
        like = leg.call.pairing.beside(leg) if self._wants_offer else None
        offer = await leg.session.describe(like)
        if not leg.is_talking:  # it hung up while we described the session
            return
        if not dialog.is_settled:  # the phone was faster
            await leg.session.withdraw()
            self._later(BUSY)
            return
        self._had_to_offer, self._wants_offer = self._wants_offer, False
        self._send(dialog.request("INVITE", offer, "application/sdp"), is_described=True)

    def _send(self, request: Request, *, is_described: bool) -> None:
        self._is_described = is_described
        if self._shown is not None:
            self._name(request, self._shown)
        self._named = self._shown
        self._open = self._leg.send_in_dialog(request)

    def _name(self, request: Request, shown: Shown) -> None:
        leg, dialog = self._leg, self._leg.dialog
        domain = leg.call.around.domain
        if dialog is not None and "from-change" in leg.supported:
            dialog.rename(shown.address(domain, dialog.id.local_tag))
            request.headers.set("From", dialog.state.local)
        asserted = shown.asserted(domain)
        if asserted is not None:
            quoted = shown.quoted
            request.headers.set("P-Asserted-Identity", f"{quoted}{asserted}")

    def _answered(self, event: sip.ResponseReceived) -> None:
        leg, response = self._leg, event.response
        if response.status < 200:
            return
        if response.cseq.method == "INVITE" and response.status < 300:
            leg.acknowledge(event)
        if response.status in (408, 481):
            self._open = None
            leg.vanish("session-expired")
            return
        delay = self._delay(response) if self._tries < MOST_TRIES else None
        self._over(response.status, response.body, is_last=delay is None and not self._wants_offer)
        if delay is not None:
            self._once_more(delay)
        else:
            self._tries = 0
            if self._shown is self._named:
                self._shown = None
            if self._wants_offer or self._shown is not None:  # somebody has wanted it meanwhile
                leg.tell(RefreshDue(leg))

    def _over(self, status: int, sdp: bytes = b"", *, is_last: bool = False) -> None:
        self._open = None
        self._leg.tell(Reanswered(self._leg, status, sdp, self._is_described, is_last))

    def _once_more(self, seconds: float) -> None:
        self._wants_offer |= self._is_described and self._had_to_offer
        self._later(seconds)

    def _delay(self, response: Response) -> float | None:
        """How long to wait before asking again; None: it was answered, or refused for good."""
        match response.status:
            case 491:
                dialog = self._leg.dialog
                return back_off(is_owner=dialog is not None and dialog.state.is_caller)
            case 422:
                return 0.0  # the stack has learnt the interval (RFC 4028 §7.4)
            case 500 | 503:
                return _retry_after(response)
        return None

    def _later(self, seconds: float) -> None:
        self.close()
        self._tries += 1
        loop = asyncio.get_running_loop()
        self._again = loop.call_later(seconds, self._leg.tell, RefreshDue(self._leg))


def _retry_after(response: Response) -> float | None:
    """Seconds, without the comment and parameters that may follow (RFC 3261 §20.33)."""
    text = response.headers.first("Retry-After") or ""
    number = text.partition(";")[0].partition("(")[0].strip()
    is_short = number.isascii() and number.isdigit() and len(number) <= 2
    return float(number) if is_short and int(number) <= LONGEST else None


def back_off(*, is_owner: bool) -> float:
    """A random wait in steps of 10 ms (RFC 3261 §14.1)."""
    least, most = OWNER if is_owner else OTHER
    return least + secrets.randbelow(round((most - least) * 100) + 1) / 100
