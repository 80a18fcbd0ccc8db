"""The leg of a phone that is rung: we are its UAC (RFC 3261 §13.2)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from pbx.b2bua.caller_leg import own_uri
from pbx.b2bua.events import Answered, Progressed, Rang, Refused
from pbx.b2bua.identity import Shown
from pbx.b2bua.leg import Leg, Phase, extensions_of
from pbx.b2bua.location import Location
from pbx.b2bua.ports import Contact
from pbx.b2bua.session import SDP
from pbx.sip import events as sip
from pbx.sip.dialog import Dialog, DialogId, new_tag
from pbx.sip.events import TransactionId
from pbx.sip.headers import Headers
from pbx.sip.message import Request

if TYPE_CHECKING:
    from pbx.b2bua.call import Call

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326 §3.1


MOST_FORKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What an INVITE of ours says besides its offer."""

    domain: str
    number: str
    """Whom the caller dialled: the To of the INVITE."""
    shown: Shown
    max_forwards: int
    is_emergency: bool = False
    location: Location | None = None


class CalleeLeg(Leg):
    """Begins with an INVITE of ours to one contact of a device."""

    role = "callee"

    def __init__(self, call: Call, id: UUID, device: UUID, contact: Contact) -> None:
        super().__init__(call, id, device, contact.flow, own_uri(call.agent.facts(contact.flow)))
        self._to = contact
        self._transaction: TransactionId | None = None
        self._early: dict[DialogId, bytes] = {}
        """What forks of the phone described before they answered; a 2xx after a reliable 183
        need not say it again (RFC 3262 §5)."""
        self._has_rung = False
        self._is_cancelled = False
        self._plainly: tuple[Invitation, bytes] | None = None
        """What to ask of a phone that does not take the location beside our offer."""

    async def invite(self, invitation: Invitation, like: Leg) -> None:
        """Ring the phone with an offer of its own; raises `MediaError`."""
        offer = await self.session.open_offering(like)
        if self.phase is Phase.BEGINNING and self.call.is_wanted:
            self._ask(invitation, offer)

    def _ask(self, invitation: Invitation, offer: bytes) -> None:
        request = self._write(invitation, offer)
        if invitation.location is not None:
            invitation.location.write_into(request)
            self._plainly = replace(invitation, location=None), offer
        self._transaction = self._agent.request(self.flow, request)
        self.call.listen(self._transaction, self)

    def hang_up(self, reason: str | None = None) -> None:
        """CANCEL while it rings (a 2xx that wins the race gets ACK and BYE), BYE afterwards."""
        if self.phase is Phase.BEGINNING and self._transaction is not None:
            self._is_cancelled = True
            self._agent.cancel(self._transaction, reason)
            self.end()
        else:
            super().hang_up(reason)

    def is_begun_by(self, transaction: TransactionId) -> bool:
        return transaction == self._transaction

    def _began(self, event: sip.Event) -> None:
        match event:
            case sip.ResponseReceived() if event.transaction == self._transaction:
                self._answered(event)
            case sip.TimedOut() if event.transaction == self._transaction:
                self._refuse(408)
            case sip.FlowLost() if event.transaction == self._transaction:
                self._refuse(503)

    def _answered(self, event: sip.ResponseReceived) -> None:
        response, dialog = event.response, event.dialog
        if response.status in (400, 415, 488) and self._plainly and self.is_beginning:
            plainly, self._plainly = self._plainly, None
            self._ask(*plainly)  # it does not take a location, but it shall ring
        elif response.status >= 300:
            self._refuse(response.status)
        elif response.status >= 200:
            if dialog is not None:
                self.supported = extensions_of(response)
                self._accepted(event.transaction, dialog, response.body)
        elif self.phase is Phase.BEGINNING:
            if response.body and dialog is not None and self._keep_early(dialog, response.body):
                self.tell(Progressed(self, response.body))
            elif response.status == 180 and not self._has_rung:
                self._has_rung = True
                self.tell(Rang(self))

    def _accepted(self, transaction: TransactionId, dialog: Dialog, sdp: bytes) -> None:
        self._agent.acknowledge(transaction, dialog, self.flow)
        if self.is_in(dialog):
            return
        if self.phase is not Phase.BEGINNING:
            # It lost the race, or a second fork of one phone answered: §13.2.2.4, §15.
            self._bye(dialog, ELSEWHERE if self._is_cancelled else None)
            return
        self.status = 200
        self._confirm(dialog)
        self.tell(Answered(self, sdp or self._early.get(dialog.id, b"")))
        self._early.clear()

    def _keep_early(self, dialog: Dialog, sdp: bytes) -> bool:
        """Whether that is news."""
        is_known = dialog.id in self._early
        if not is_known and len(self._early) >= MOST_FORKS:
            return False
        self._early[dialog.id] = sdp
        return not is_known

    def _over(self, event: sip.RequestReceived) -> None:
        """A callee may not send BYE before its answer (RFC 3261 §15); it wants no call."""
        if self.is_beginning and self._transaction is not None:
            self._agent.cancel(self._transaction)
            self._is_cancelled = True
            self._refuse(480)
        else:
            super()._over(event)

    def _unkeyed(self) -> None:
        if self.is_beginning and self._transaction is not None:
            self._agent.cancel(self._transaction)
            self._is_cancelled = True
            self._refuse(488)
        else:
            super()._unkeyed()

    def _refuse(self, status: int) -> None:
        if self.phase is Phase.BEGINNING:
            self.status = status
            self.end()
            self.tell(Refused(self, status))

    def _write(self, invitation: Invitation, offer: bytes) -> Request:
        headers = Headers(
            *[("Route", route) for route in self._to.path],
            ("Max-Forwards", str(invitation.max_forwards)),
            ("From", invitation.shown.address(invitation.domain, new_tag())),
            ("To", f"<sip:{invitation.number}@{invitation.domain}>"),
            ("Call-ID", secrets.token_hex(16)),
            ("CSeq", f"{1 + secrets.randbelow(2**16)} INVITE"),
            ("Contact", self.contact),
            ("Content-Type", SDP),
        )
        asserted = invitation.shown.asserted(invitation.domain)
        if asserted is not None:
            headers.add("P-Asserted-Identity", asserted)
        if invitation.is_emergency:
            headers.add("Priority", "emergency")
        return Request("INVITE", self._to.uri, headers, offer)
