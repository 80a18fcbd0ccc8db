"""One side of a call: a dialog with a phone, and its media leg.

A leg is a machine fed with SIP events; it answers what needs no thought and tells its call the
rest in the words of `pbx.b2bua.events`. `CallerLeg` and `CalleeLeg` add how it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from media.client import Learnt, LegId, LegStats, MediaClient, Recorded, Stored, Unkeyed
from pbx.b2bua.asking import Asking
from pbx.b2bua.events import Heard, HungUp, LegEvent, Referred, RefreshDue, Vanished
from pbx.b2bua.keys import Keys
from pbx.b2bua.ports import NO_FLOW, Phones, UserAgent
from pbx.b2bua.session import Session
from pbx.sip import events as sip
from pbx.sip.dialog import Dialog
from pbx.sip.errors import PeerError
from pbx.sip.events import TransactionId
from pbx.sip.flows import FlowFacts, FlowId
from pbx.sip.message import Message, Request, response_to
from storage.calls import Signalling

if TYPE_CHECKING:
    from pbx.b2bua.call import Call


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
        self.session = Session(self)
        self.keys = Keys(self)
        self.was_silent = False
        self.refers = 0
        """How often its phone has asked for somebody to be put through, and we did."""
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

    def hang_up(self, reason: str | None = None) -> None:
        """End the leg, whatever it takes in its phase; nothing happens when it has ended."""
        try:
            if self.phase is Phase.CONFIRMED and self.dialog is not None:
                self._bye(self.dialog, reason)
        finally:
            self.end()

    # -- what the stack tells a leg

    def receive(self, event: sip.Event) -> None:
        """A SIP event of this leg's transactions or dialog."""
        if self.asking.takes(event) or self.keys.takes(event):
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
                self._unacknowledged(event)
            case _:
                self._began(event)

    def is_begun_by(self, transaction: TransactionId) -> bool:
        """Whether it is that of our INVITE: another fork's answer may follow the first."""
        return False

    def _began(self, event: sip.Event) -> None:
        """An event of the INVITE that made this leg."""

    def _requested(self, event: sip.RequestReceived) -> None:
        request = event.request
        is_fork = self.dialog is not None and not self.is_in(event.dialog)
        if not is_fork and self.phase is not Phase.ENDED:
            self.flow = event.flow
        match request.method:
            case "BYE":
                self.reply(event, 200)
                if not is_fork:
                    self._over(event)
            case _ if is_fork or self.phase is Phase.ENDED:
                self.reply(event, 481)  # another fork's dialog, or one that a BYE is ending
            case "INVITE" | "UPDATE":
                self.session.reoffered(event)
            case "PRACK":
                self._pracked(event)  # with a description: the stack answers all others itself
            case "INFO" if request.body:
                self.keys.pressed(event)
            case "REFER" if self.phase is Phase.CONFIRMED:
                self.tell(Referred(self, event.transaction, request))
            case "INFO" | "OPTIONS":
                self.reply(event, 200)
            case _:
                self.reply(event, 501)

    def _pracked(self, event: sip.RequestReceived) -> None:
        self.reply(event, 488)

    def reply(self, event: sip.RequestReceived, status: int) -> None:
        response = response_to(event.request, status)
        if event.request.method == "UPDATE" and status < 300:
            response.headers.add("Contact", self.contact)
        self._agent.respond(event.transaction, response)

    def _over(self, event: sip.RequestReceived) -> None:
        if self.phase is Phase.CONFIRMED:
            self.end()
            self.tell(HungUp(self))

    def _acknowledged(self, event: sip.Acknowledged) -> None:
        if self.is_in(event.dialog):
            self.session.acknowledged(event)

    def _unacknowledged(self, event: sip.TimedOut) -> None:
        """Our answer to a re-INVITE may have gone the way of the connection that it was asked by:
        the phone is asked by the one that it has now. If it is gone, that shows."""
        self.session.unacknowledged()
        self.asking.offer()

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

    # -- what every leg does

    def send_in_dialog(self, request: Request) -> TransactionId:
        """A request that says again where we are."""
        request.headers.set("Contact", self.contact)
        return self.send(request)

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
        self.send(bye)

    def send(self, request: Request) -> TransactionId:
        """In a dialog, by the device's newest flow: a call belongs to the device."""
        self.flow = self._phones.flow_of(self.device, self.flow)
        transaction = self._agent.request(self.flow, request)
        self.call.listen(transaction, self)
        return transaction

    def _confirm(self, dialog: Dialog) -> None:
        self.dialog, self.phase = dialog, Phase.CONFIRMED
        self.answered_at = self.call.clock()

    def end(self) -> None:
        """Nothing more is expected of it."""
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            self.ended_at = self.ended_at or self.call.clock()
            self.asking.close()
            self.call.members.ended(self)

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
