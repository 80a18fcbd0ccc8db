"""The calls of the test phone: one dialog each, no forks, no reliability of provisionals."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from pbx.sip.message import Request, Response, response_to

if TYPE_CHECKING:
    from tests.support.phone import Phone


class CallFailed(Exception):
    """The call was refused."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status} {response.reason}")
        self.response = response


class Call:
    """What both kinds share: a dialog, its end, and what the other side asks in it."""

    def __init__(self, phone: Phone, invite: Request) -> None:
        self.phone, self.request_sent_or_received = phone, invite
        self.call_id = invite.call_id
        self.ended = asyncio.Event()
        self.end: Request | None = None
        """The BYE that ended it."""
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        """Requests of the other side in the dialog, re-INVITEs above all; answer them."""
        self.answers_with: bytes = b""
        """With this body a re-INVITE or UPDATE is answered at once."""
        self._local = self._remote = self._target = ""
        self._routes: list[str] = []
        self._cseq = 1

    def message(self, method: str, body: bytes = b"") -> Request:
        """A request in the dialog (RFC 3261 section 12.2.1.1)."""
        if method != "ACK":
            self._cseq += 1
        request = self.phone.request(method, self._target)
        headers = request.headers
        headers.set("From", self._local)
        headers.set("To", self._remote)
        headers.set("Call-ID", self.call_id)
        headers.set("CSeq", f"{self._cseq} {method}")
        for route in self._routes:
            headers.add("Route", route)
        if method in ("INVITE", "UPDATE"):
            headers.add("Contact", self.phone.contact)
        if body:
            headers.add("Content-Type", "application/sdp")
            request.body = body
        return request

    async def bye(self) -> Response:
        """Hang up."""
        response = await self.ask(self.message("BYE"))
        self._over()
        return response

    async def reinvite(self, body: bytes, answer: bytes = b"") -> Response:
        """Offer again in the dialog; a 2xx is acknowledged, with an answer to what it offers."""
        request = self.message("INVITE", body)
        response = await self.ask(request)
        if response.status < 300:
            ack = self.message("ACK", answer)
            ack.headers.set("CSeq", f"{request.cseq.number} ACK")
            self.phone.start(ack)
            self.phone.finish(ack)
        return response

    async def ask(self, request: Request) -> Response:
        """Send a request of the dialog and wait for its final response."""
        response = await self.phone.ask(request)
        self._cseq = max(self._cseq, request.cseq.number)
        return response

    def requested(self, request: Request) -> None:
        """A request of the other side."""
        match request.method:
            case "BYE":
                self.phone.send(response_to(request, 200))
                self.end = request
                self._over()
            case "ACK":
                self.acknowledged(request)
            case "INVITE" | "UPDATE" if self.answers_with:
                self.answer_in_dialog(request, 200, self.answers_with)
            case _:
                self.requests.put_nowait(request)

    def answer_in_dialog(self, request: Request, status: int, body: bytes = b"") -> None:
        """Answer a request taken from `requests`."""
        response = response_to(request, status)
        if status < 300 and request.method in ("INVITE", "UPDATE"):
            response.headers.add("Contact", self.phone.contact)
        if body:
            response.headers.add("Content-Type", "application/sdp")
            response.body = body
        self.phone.send(response)

    def acknowledged(self, request: Request) -> None:
        """An ACK: nothing to do for one of a re-INVITE."""

    def _over(self) -> None:
        self.ended.set()
        self.phone.hung_up(self.call_id)


class Outgoing(Call):
    """A call we made."""

    def __init__(self, phone: Phone, invite: Request) -> None:
        super().__init__(phone, invite)
        self.provisionals: list[Response] = []
        self.ringing = asyncio.Event()
        self._invite = invite
        phone.authorize(invite)
        self._responses = phone.start(invite)
        self._accepted: Response | None = None
        self.answers_late: Callable[[bytes], bytes] | None = None
        """Makes the answer in our ACK from the offer in the 2xx."""

    async def answered(self, seconds: float = 60.0) -> Response:
        """Wait for the 2xx and acknowledge it; CallFailed for a refusal."""
        async with asyncio.timeout(seconds):
            while True:
                response = await self._responses.get()
                if response.status < 200:
                    self.provisionals.append(response)
                    if response.status != 100:
                        self.ringing.set()
                    continue
                self.phone.finish(self._invite)
                if response.status < 300:
                    self.establish(response)
                    self._accepted = response
                    self._acknowledge()
                    return response
                self._acknowledge_refusal(response)
                if not self.phone.answers(self._invite, response):
                    self._over()
                    raise CallFailed(response)
                self._responses = self.phone.start(self._invite)

    async def cancel(self) -> Response:
        """Give up; the call then fails with 487 (or is answered after all)."""
        request = Request("CANCEL", self._invite.uri_text)
        for name in ("Via", "From", "To", "Call-ID"):
            request.headers.add(name, self._invite.headers.all(name)[0])
        request.headers.add("CSeq", f"{self._invite.cseq.number} CANCEL")
        queue = self.phone._waiting[f"CANCEL {request.via.branch}"] = asyncio.Queue()
        self.phone.send(request)
        response = await queue.get()
        self.phone.finish(request)
        return response

    def repeated(self, response: Response) -> None:
        """A 2xx came again: so must the ACK (RFC 3261 section 13.2.2.4)."""
        if self._accepted is not None and response.status < 300:
            self._acknowledge()

    def establish(self, response: Response) -> None:
        """Have a dialog from a response, also from a provisional one."""
        self._local = self._invite.headers.all("From")[0]
        self._remote = response.headers.all("To")[0]
        self._target = response.contacts[0].uri_text
        self._routes = [str(route) for route in reversed(response.record_routes)]
        self._cseq = self._invite.cseq.number

    def _acknowledge(self) -> None:
        offer = self._accepted.body if self._accepted else b""
        request = self.message("ACK", self.answers_late(offer) if self.answers_late else b"")
        request.headers.set("CSeq", f"{self._invite.cseq.number} ACK")
        self.phone.start(request)
        self.phone.finish(request)

    def _acknowledge_refusal(self, response: Response) -> None:
        request = Request("ACK", self._invite.uri_text)
        for name in ("Via", "From", "Call-ID"):
            request.headers.add(name, self._invite.headers.all(name)[0])
        request.headers.add("To", response.headers.all("To")[0])
        request.headers.add("CSeq", f"{response.cseq.number} ACK")
        self.phone.send(request)


class Incoming(Call):
    """A call to us."""

    def __init__(self, phone: Phone, invite: Request) -> None:
        super().__init__(phone, invite)
        self.invite = invite
        self.confirmed = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.acknowledgement: Request | None = None
        self.heeds_cancel = True
        self.says: tuple[tuple[str, str], ...] = ()
        """More fields of our 2xx."""
        self.cancel: Request | None = None
        self._tag = secrets.token_hex(4)
        self._final: Response | None = None

    def ring(self, status: int = 180, body: bytes = b"") -> None:
        """A provisional response."""
        self.phone.send(self._response(status, body))

    def answer(self, body: bytes = b"") -> None:
        """Take the call; `confirmed` is set by the ACK."""
        self._final = self._response(200, body)
        self._local = self._final.headers.all("To")[0]
        self._remote = self.invite.headers.all("From")[0]
        self._target = self.invite.contacts[0].uri_text
        self._routes = [str(route) for route in self.invite.record_routes]
        self.phone.send(self._final)

    def refuse(self, status: int = 486) -> None:
        """Refuse the call; `confirmed` is set by the ACK."""
        self._final = self._response(status)
        self.phone.send(self._final)

    def acknowledged(self, request: Request) -> None:
        self.acknowledgement = self.acknowledgement or request
        self.confirmed.set()
        if self._final is not None and self._final.status >= 300:
            self._over()

    def requested(self, request: Request) -> None:
        if request.method == "CANCEL":
            self.phone.send(response_to(request, 200, to_tag=self._tag))
            self.cancel = request
            self.cancelled.set()
            if self._final is None and self.heeds_cancel:
                self.refuse(487)
            return
        super().requested(request)

    def _response(self, status: int, body: bytes = b"") -> Response:
        response = response_to(self.invite, status, to_tag=self._tag)
        for route in self.invite.headers.all("Record-Route"):
            response.headers.add("Record-Route", route)
        if status < 300:
            response.headers.add("Contact", self.phone.contact)
        for name, value in self.says if 200 <= status < 300 else ():
            response.headers.add(name, value)
        if body:
            response.headers.add("Content-Type", "application/sdp")
            response.body = body
        return response
